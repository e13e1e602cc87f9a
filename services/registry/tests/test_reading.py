"""Reading what clients write: durations, paths."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from registry.decoding import duration
from registry.definitions import read_service
from registry.web import Refusal, clean_path


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("10s", 10), ("1.5s", 1.5), ("500ms", 0.5), ("1h30m", 5400), ("2m0s", 120), (".5s", 0.5), ("0", 0), ("-5s", -5)],
)
def test_durations_are_read_as_go_writes_them(text, seconds):
    assert duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "10", "s", "1 s", "1d", "1s2", "--1s", "٣s", "1.s.", "99999999999h"])
def test_what_go_does_not_read_is_no_duration(text):
    with pytest.raises(ValueError, match="invalid duration"):
        duration(text)


@settings(deadline=None, database=None)
@given(st.text())
def test_any_text_is_a_duration_or_refused_by_name(text):
    try:
        assert isinstance(duration(text), float)
    except ValueError as error:
        assert "invalid duration" in str(error)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["Name", "TTL", "Check", "Checks", "Tags", "Meta", "Weights", "x"]), inner)
    ),
    max_leaves=8,
)


@settings(deadline=None, database=None)
@given(JSON)
def test_any_json_is_a_registration_or_refused_with_a_reason(value):
    try:
        assert read_service(json.dumps(value).encode()).name
    except Refusal as refusal:
        assert refusal.status == 400
        assert refusal.reason


@pytest.mark.parametrize(
    ("path", "clean"),
    [("//v1//x", "/v1/x"), ("/v1/x/", "/v1/x/"), ("/v1/../x", "/x"), ("/v1/./x", "/v1/x"), ("//", "/"), ("/a/..", "/")],
)
def test_paths_are_cleaned_as_go_does(path, clean):
    assert clean_path(path) == clean
