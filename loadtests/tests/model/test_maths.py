"""docs/maths.md, docs/scaling.md and docs/experiments are run: what their snippets print is what stands below them."""

import contextlib
import io
import re
from pathlib import Path

import pytest

NUMBER = re.compile(r"\d+(?:\.\d+)?")
ROOT = Path(__file__).parents[3]
PAGE = ROOT / "docs" / "maths.md"
SCALING = ROOT / "docs" / "scaling.md"
LINK = re.compile(r"(?<!!)\[([^\]]*)\]\(([^)#\s]+\.md)[^)]*\)")
FIGURE = re.compile(r"\d[\d,]*(?:\.\d+)?")
BLOCK = re.compile(r"^```python\n(.*?)^```\n(?:\n^```text\n(.*?)^```\n)?", re.MULTILINE | re.DOTALL)


def same(printed, expected, tolerance):
    """The same words, and numbers as near as this: a simulation may depend on the last digit of a logarithm."""
    if NUMBER.sub("#", printed) != NUMBER.sub("#", expected):
        return False
    pairs = zip(NUMBER.findall(printed), NUMBER.findall(expected), strict=True)
    return all(float(one) == pytest.approx(float(other), rel=tolerance, abs=tolerance) for one, other in pairs)


def run_snippets(page, name, exact_until):
    """Run them one after the other; how many there were. From `exact_until` (a position) on, a tenth may differ."""
    names, number = {}, 0
    for number, block in enumerate(BLOCK.finditer(page), 1):
        code, expected = block.groups()
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(compile(code, f"{name}, snippet {number}", "exec"), names)
        tolerance = 0.1 if block.start() > exact_until else 0
        assert expected, f"snippet {number} has no output below it"
        assert same(printed.getvalue(), expected, tolerance), f"snippet {number}:\n{code}\n{printed.getvalue()}"
    return number


@pytest.mark.timeout(300)  # 20 s of simulations, longer where others use the processors
def test_every_snippet_of_the_maths_prints_what_the_page_says(monkeypatch):
    monkeypatch.chdir(ROOT)
    page = PAGE.read_text(encoding="utf-8")
    assert run_snippets(page, "docs/maths.md", page.index("## What no formula holds")) > 10


@pytest.mark.parametrize(
    "file", [SCALING, *sorted((ROOT / "docs" / "experiments").glob("*.md"))], ids=lambda file: file.stem
)
def test_every_snippet_of_another_page_prints_what_the_page_says(monkeypatch, file):
    monkeypatch.chdir(ROOT)
    page = file.read_text(encoding="utf-8")
    run_snippets(page, file.name, len(page))


def test_every_figure_that_is_a_link_stands_on_the_page_that_it_leads_to():
    quoted = [
        (figure, target)
        for text, target in LINK.findall(SCALING.read_text(encoding="utf-8"))
        for figure in FIGURE.findall(text)
    ]
    pages = {target: (SCALING.parent / target).read_text(encoding="utf-8") for _, target in quoted}
    assert len(quoted) > 15
    assert [each for each in quoted if each[0] not in FIGURE.findall(pages[each[1]])] == []


def test_every_module_of_formulas_is_taught():
    taught = set(re.findall(r"loadtests\.model\.(\w+)", PAGE.read_text(encoding="utf-8")))
    own = {file.stem for file in (ROOT / "loadtests" / "model").glob("*.py")}
    helpers = {"__init__", "checks", "chains", "stations", "fleet", "journey", "topology", "outcome"}
    assert own - helpers <= taught, own - helpers - taught


@pytest.mark.parametrize("file", [PAGE, *sorted(PAGE.parent.glob("experiments/*.md"))], ids=lambda file: file.stem)
def test_formulas_open_and_close_within_their_line(file):
    text = re.sub(r"^```.*?^```|`[^`\n]*`", "", file.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    formulas = [line for line in text.splitlines() if "$" in line]
    assert formulas or file.stem == "README"
    for line in formulas:
        assert line.count("$$") in (0, 2), line
        assert line.count("$") % 2 == 0, line
