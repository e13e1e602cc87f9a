"""Cursors come back from strangers: whatever is in one, the answer is a page or a 422."""

import pytest

from chassis.errors import Unprocessable
from chassis.paging import decode_cursor, encode_cursor, paged


@pytest.mark.parametrize("value", ["SOUK-000017", 17, ["2030-01-01T00:00:00+00:00", "id"], "Épices \u00a0"])
def test_a_cursor_comes_back_as_it_went(value):
    assert decode_cursor(encode_cursor(value), type(value)) == value


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("", str),
        ("not base64 at all!", str),
        ("é", str),
        (encode_cursor({"a": 1}), str),
        (encode_cursor(17), str),
        (encode_cursor(True), int),
        (encode_cursor(2**63), int),
        (encode_cursor(-(2**63) - 1), int),
        (encode_cursor("a\x00b"), str),
        (encode_cursor("\ud800"), str),
        (encode_cursor(["2030", "a\x00"]), list),
        (encode_cursor([None]), list),
    ],
)
def test_a_cursor_that_no_database_could_compare_with_is_refused(text, kind):
    with pytest.raises(Unprocessable):
        decode_cursor(text, kind)


def test_the_last_page_has_no_next():
    assert paged([1, 2, 3], 2, lambda row: row) == ([1, 2], encode_cursor(2))
    assert paged([1, 2], 2, lambda row: row) == ([1, 2], None)
    assert paged([], 2, lambda row: row) == ([], None)
