"""docs/maths.md is run: what its snippets print is what stands below them."""

import contextlib
import io
import re
from pathlib import Path

import pytest

NUMBER = re.compile(r"\d+(?:\.\d+)?")
ROOT = Path(__file__).parents[3]
PAGE = ROOT / "docs" / "maths.md"
BLOCK = re.compile(r"^```python\n(.*?)^```\n(?:\n^```text\n(.*?)^```\n)?", re.MULTILINE | re.DOTALL)


def same(printed, expected, tolerance):
    """The same words, and numbers as near as this: a simulation may depend on the last digit of a logarithm."""
    if NUMBER.sub("#", printed) != NUMBER.sub("#", expected):
        return False
    pairs = zip(NUMBER.findall(printed), NUMBER.findall(expected), strict=True)
    return all(float(one) == pytest.approx(float(other), rel=tolerance, abs=tolerance) for one, other in pairs)


@pytest.mark.timeout(300)  # 20 s of simulations, longer where others use the processors
def test_every_snippet_of_the_maths_prints_what_the_page_says(monkeypatch):
    monkeypatch.chdir(ROOT)
    names, page = {}, PAGE.read_text(encoding="utf-8")
    simulated = page.index("## What no formula holds")
    for number, block in enumerate(BLOCK.finditer(page), 1):
        code, expected = block.groups()
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(compile(code, f"docs/maths.md, snippet {number}", "exec"), names)
        tolerance = 0.1 if block.start() > simulated else 0
        assert expected, f"snippet {number} has no output below it"
        assert same(printed.getvalue(), expected, tolerance), f"snippet {number}:\n{code}\n{printed.getvalue()}"
    assert number > 10


def test_every_module_of_formulas_is_taught():
    taught = set(re.findall(r"loadtests\.model\.(\w+)", PAGE.read_text(encoding="utf-8")))
    own = {file.stem for file in (ROOT / "loadtests" / "model").glob("*.py")}
    helpers = {"__init__", "checks", "chains", "stations", "fleet", "journey", "topology", "outcome"}
    assert own - helpers <= taught, own - helpers - taught


def test_formulas_open_and_close_within_their_line():
    text = re.sub(r"^```.*?^```", "", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    formulas = [line for line in text.splitlines() if "$" in line]
    assert len(formulas) > 20
    for line in formulas:
        assert line.count("$$") in (0, 2), line
        assert line.count("$") % 2 == 0, line
