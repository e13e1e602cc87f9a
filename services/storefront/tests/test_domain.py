import pytest

from chassis.errors import BadRequest
from storefront.domain import moment, money, progress, quantity_of, safe_next
from storefront.pictures import picture


@pytest.mark.parametrize(
    "path", ["/", "/cart", "/products/SOUK-000001?a=b&c=d", "/?q=m%C3%BCnze", "/?next=//evil.example"]
)
def test_a_path_of_the_shop_is_a_safe_place_to_go_next(path):
    assert safe_next(path) == path


@pytest.mark.parametrize(
    "path",
    [None, "", "cart", "//evil.example", "/\\evil.example", "\\\\evil.example", "https://evil.example/",
     "/\t/evil.example",
     "/\n/evil.example", "javascript:alert(1)", " //evil.example", "/\r\nSet-Cookie: a=b", "///evil.example"],
)  # fmt: skip
def test_everything_else_leads_to_the_first_page(path):
    assert safe_next(path) == "/"


@pytest.mark.parametrize(
    ("cents", "currency", "text"),
    [(0, "EUR", "€0.00"), (5, "EUR", "€0.05"), (1234, "EUR", "€12.34"), (123456789, "EUR", "€1,234,567.89"),
     (-250, "EUR", "-€2.50"), (1234, "CHF", "12.34 CHF"), (None, "EUR", "")],
)  # fmt: skip
def test_money_is_written_as_on_a_label(cents, currency, text):
    assert money(cents, currency) == text


def test_a_moment_is_written_for_people_and_what_is_none_is_not():
    assert moment("2030-03-05T14:03:22.123456+00:00") == "5 Mar 2030, 14:03:22 UTC"
    assert moment("soon") == moment(None) == ""


@pytest.mark.parametrize(
    ("states", "titles", "current"),
    [(["PENDING"], ["Placed", "Set aside for you", "Paid and confirmed"], 0),
     (["PENDING", "RESERVED"], ["Placed", "Set aside for you", "Paid and confirmed"], 1),
     (["PENDING", "RESERVED", "CONFIRMED"], ["Placed", "Set aside for you", "Paid and confirmed"], 2),
     (["PENDING", "CANCELLED"], ["Placed", "Cancelled"], 1)],
)  # fmt: skip
def test_progress_shows_what_has_happened_and_what_is_to_come(states, titles, current):
    history = [{"state": state, "at": "2030-03-05T14:03:22+00:00"} for state in states]
    steps = progress({"state": states[-1], "history": history})
    assert [step.title for step in steps] == titles
    assert [step.current for step in steps].index(True) == current
    assert [step.at is not None for step in steps] == [i <= current for i in range(len(steps))]


@pytest.mark.parametrize("text", ["", "0", "-1", "1001", "1.5", "two", "1e3", "٣", "99999999999"])
def test_a_quantity_is_a_whole_number_from_1_to_1000(text):
    with pytest.raises(BadRequest):
        quantity_of(text)
    assert quantity_of(" 1000 ") == 1000


def test_a_picture_is_the_same_each_time_and_takes_the_colour_in_the_name():
    assert picture("SOUK-000001", "Tea", "Tea") == picture("SOUK-000001", "Tea", "Tea")
    assert picture("SOUK-000001", "Tea", "Emerald Pot") != picture("SOUK-000001", "Tea", "Rose Pot")
    pictures = {str(picture(f"SOUK-{number:06}", "Ceramics", "Bowl")) for number in range(50)}
    assert len(pictures) > 10


def test_a_picture_contains_nothing_of_what_it_is_made_from():
    evil = '"><script>'
    assert "script" not in picture(evil, evil, evil)
