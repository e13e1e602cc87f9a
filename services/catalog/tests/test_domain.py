import pytest

from catalog.domain import as_text, check_skus, etag_of, is_sku, search_text, search_words
from chassis.errors import Unprocessable


@pytest.mark.parametrize("sku", ["SOUK-000001", "A", "-", "0", "A" * 32])
def test_a_sku_is_of_capitals_digits_and_hyphens(sku):
    assert is_sku(sku)


@pytest.mark.parametrize("sku", ["", "a", "A" * 33, "A B", "A\n", "Ä", "A/B", "\x00"])
def test_anything_else_is_no_sku(sku):
    assert not is_sku(sku)
    with pytest.raises(Unprocessable):
        check_skus(["GOOD", sku])


def test_a_hundred_skus_may_be_asked_for_and_not_one_more():
    check_skus(["A"] * 100)
    with pytest.raises(Unprocessable):
        check_skus(["A"] * 101)


def test_the_etag_changes_with_the_answer_and_only_with_it():
    answer = {"sku": "A", "price_cents": 1}
    assert etag_of(as_text(answer)) == etag_of(as_text(dict(answer)))
    assert etag_of(as_text(answer)) != etag_of(as_text({**answer, "price_cents": 2}))


def test_a_search_does_not_care_about_case_in_any_language():
    text = search_text("Épices STRASSE", "Şark")
    assert all(word in text for word in search_words("épices straße şark"))


def test_a_search_is_for_its_words_and_not_for_the_space_between_them():
    assert search_words("  brass \t lamp ") == ["brass", "lamp"]
    assert search_words("   ") == []
