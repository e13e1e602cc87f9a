import re
from datetime import UTC, datetime, timedelta

import pytest

from accounts.domain import (
    EMAIL_PATTERN,
    email_key,
    hash_refresh_token,
    is_stolen,
    keys_still_needed,
    new_refresh_token,
)

NOW = datetime(2030, 1, 1, tzinfo=UTC)
GRACE = timedelta(seconds=30)
LIVE = timedelta(minutes=17)


@pytest.mark.parametrize("email", ["a@b.co", "first.last+tag@shop.example", "x_y-z@a-b.c-d.example", "1@2.3"])
def test_usual_emails_are_emails(email):
    assert re.search(EMAIL_PATTERN, email)


@pytest.mark.parametrize(
    "email", ["", "a", "a@", "@b.co", "a@b", "a@@b.co", "a b@c.de", "a@b..co", "a@b.co\n", "ä@b.co", "a@b.co "]
)
def test_other_texts_are_none(email):
    assert not re.fullmatch(EMAIL_PATTERN.strip("^$"), email)


def test_an_email_is_the_same_in_any_case():
    assert email_key("Ada@Example.COM") == email_key("ada@example.com")


def test_refresh_tokens_are_long_differ_and_are_kept_as_a_hash_only():
    first, second = new_refresh_token(), new_refresh_token()
    assert len(first) >= 43 and first != second
    assert first not in hash_refresh_token(first) and len(hash_refresh_token(first)) == 64


def test_a_first_use_and_a_retry_within_the_grace_are_granted():
    assert not is_stolen(NOW, NOW, GRACE)
    assert not is_stolen(NOW - GRACE, NOW, GRACE)


def test_a_use_after_the_grace_ends_the_family():
    assert is_stolen(NOW - GRACE - timedelta(seconds=1), NOW, GRACE)


def test_the_only_key_is_needed_however_old_it_is():
    assert keys_still_needed([NOW - timedelta(days=999)], NOW, LIVE) == 1


def test_a_replaced_key_is_needed_until_its_last_token_has_expired():
    old = NOW - timedelta(days=1)
    assert keys_still_needed([NOW - LIVE, old], NOW, LIVE) == 2
    assert keys_still_needed([NOW - LIVE - timedelta(seconds=1), old], NOW, LIVE) == 1


def test_a_key_that_waits_is_needed_and_replaces_nothing_yet():
    waiting = NOW + timedelta(seconds=10)
    assert keys_still_needed([waiting, NOW - timedelta(days=1)], NOW, LIVE) == 2


def test_of_many_rotations_only_the_old_ones_end_are_forgotten():
    ages = [timedelta(minutes=m) for m in (-1, 1, 10, 20, 40)]
    assert keys_still_needed([NOW - age for age in ages], NOW, LIVE) == 4
