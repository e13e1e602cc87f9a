"""The report of a synthetic folder, and the pictures in it."""

import json
from html.parser import HTMLParser
from pathlib import Path

import pytest

from loadtests.lab import plots, report
from loadtests.lab.figures import NONE, bounds, figure, inputs, interval, percent, spell
from loadtests.lab.inlined import formula, svg
from loadtests.lab.tests import synthetic

HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>"
VOID = {"meta", "br", "link", "img", "input", "hr"}
FETCHING = {"src", "href", "xlink:href", "action", "data", "poster", "srcset"}
on_one_worker = pytest.mark.xdist_group("report")  # those that use the folder, which takes seconds to make


class Page(HTMLParser):
    """Raises when elements are not nested; notes ids, addresses, elements and text."""

    def __init__(self, text):
        super().__init__()
        self.open, self.ids, self.addresses, self.elements, self.words = [], [], [], set(), ""
        self.feed(text)
        assert not self.open, f"not closed: {self.open}"

    def handle_starttag(self, tag, attributes):
        self.elements.add(tag)
        self.ids += [value for name, value in attributes if name == "id"]
        self.addresses += [value for name, value in attributes if name in FETCHING]
        assert not [name for name, _ in attributes if name.startswith("on")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.handle_starttag(tag, attributes)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        assert self.open.pop() == tag, tag

    def handle_data(self, data):
        self.words += data


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("results") / "bank-away-20260101T120000Z"
    synthetic.make_all(made)
    return made


@on_one_worker
def test_the_report_has_each_check_arm_fault_and_plot(folder):
    page = Page((folder / report.NAME).read_text())
    for words in ("failed requests", "the audit is clean", "breaker off", "breaker on", "The bank is away for 10 s",
                  "catalog-a-1 killed", "35.0 requests", "24.0 to 48.0", "✗ Failed", "p99 needs 500"):  # fmt: skip
        assert words in " ".join(page.words.split()), words
    assert {"svg", "math", "mfrac"} <= page.elements


@on_one_worker
def test_the_report_is_one_file_that_fetches_nothing(folder):
    text = (folder / report.NAME).read_text()
    page = Page(text)
    assert len(page.ids) == len(set(page.ids))
    assert all(address.startswith("#") for address in page.addresses)
    assert {address[1:] for address in page.addresses} <= set(page.ids)
    assert "http" not in text
    assert "url(" not in text.replace("url(#", "")


@on_one_worker
def test_plots_are_written_as_svg_and_as_png_and_are_the_same_each_time(folder, tmp_path):
    assert {file.name for file in (folder / "plots").iterdir()} == {
        f"{name}.{kind}" for name in ("timeline", "latency", "cpu") for kind in ("svg", "png")
    }
    synthetic.make_all(tmp_path)
    for file in (folder / "plots").glob("*.png"):  # the ids in an SVG may differ
        assert file.read_bytes() == (tmp_path / "plots" / file.name).read_bytes()


def test_a_curve_shows_the_fit_the_points_and_where_it_ends(tmp_path):
    points = [plots.Measured(1, 10, 9, 11), plots.Measured(8, 60, kind="validation")]
    lines = [plots.Predicted("fitted", [1, 8], [10, 62], [9, 60], [11, 64])]
    row = plots.curve(points, lines, tmp_path, "usl", "Scale out", "replicas", "charges/s", "A caption.", (9, "limit"))
    assert row == {"file": "plots/usl.svg", "title": "Scale out", "caption": "A caption."}
    text = (tmp_path / row["file"]).read_text()
    for words in ("fitted", "measured, not used for the fit", "limit", "charges/s"):
        assert f"<!-- {words} -->" in text


def test_each_of_many_groups_has_a_line_of_its_own(tmp_path):
    values = [float(n) for n in range(1, 200)]
    names = [f"group {n}" for n in range(8)]
    row = plots.latency_distribution(dict.fromkeys(names, (values, values)), tmp_path, "many", "Many")
    text = (tmp_path / row["file"]).read_text()
    assert [name for name in names if f"<!-- {name} (n = 199) -->" not in text] == []


def test_a_bar_says_how_many_and_not_in_powers_of_ten(tmp_path):
    used = {"here": {"slow": 1000, "fast": 1111}, "there": {"slow": 0.25}}
    text = (tmp_path / plots.cpu_bars(used, tmp_path, "bars", "Bars")["file"]).read_text()
    assert "<!-- 2,111 -->" in text
    assert "<!-- slow -->" in text


def test_one_arm_and_an_arm_without_a_good_answer_are_drawn(tmp_path):
    samples = synthetic.samples()
    trace = plots.Trace(samples.where(~samples.ok), 20.0, 30.0)
    assert plots.failure_timeline({"alone": trace}, tmp_path, "none", "Nothing works")
    assert plots.failure_timeline(
        {"alone": plots.Trace(samples.where(samples.repeat > 1), 0.0, 0.0)}, tmp_path, "x", "x"
    )
    assert plots.latency_distribution({"none": ([], [])}, tmp_path, "y", "Nothing")
    assert plots.cpu_bars({}, tmp_path, "z", "Nothing")


def test_hostile_text_stays_text(tmp_path):
    hostile = json.loads(json.dumps(synthetic.summary()).replace("breaker off", json.dumps(HOSTILE)[1:-1]))
    hostile |= {"title": HOSTILE, "why": HOSTILE, "verdict": HOSTILE, "notes": [HOSTILE], "explanation": [HOSTILE]}
    hostile["plots"] = [{"file": f"plots/{HOSTILE}", "title": HOSTILE, "caption": HOSTILE}]
    hostile["faults"] = [{"what": HOSTILE, "arm": HOSTILE}]
    hostile["audit"] = {"clean": False, "findings": [{HOSTILE: HOSTILE}]}
    synthetic.make_folder(tmp_path, **hostile)
    (tmp_path / "environment.json").write_text(json.dumps({HOSTILE: {HOSTILE: HOSTILE}, "command": HOSTILE}))
    rows = [{"name": HOSTILE, "formula": HOSTILE, "tex": tex, "inputs": {HOSTILE: HOSTILE}, "unit": HOSTILE}
            for tex in (HOSTILE, rf"\text{{{HOSTILE}}}", r"\href{javascript:alert(3)}{x}", r"\frac{")]  # fmt: skip
    (tmp_path / "prediction.json").write_text(json.dumps(rows))
    page = Page(report.write(tmp_path).read_text())
    assert not {"script", "img", "a"} & page.elements
    assert not page.addresses
    assert HOSTILE in page.words


def test_a_picture_that_is_more_than_a_picture_is_not_shown(tmp_path):
    file = tmp_path / "x.svg"
    for inside in ("<script>1</script>", '<g onload="x()"/>', '<a href="x">x</a>', "<foreignObject/>", "<style>*{}"):
        file.write_text(f'<svg viewBox="0 0 1 1">{inside}</svg>')
        assert svg(file, "p", "t") == "x.svg is no plain picture, and is not shown."
    assert svg(tmp_path / "none.svg", "p", "t") == "none.svg is missing."


@pytest.mark.parametrize(
    "missing", ["prediction.json", "environment.json", "events.csv", "samples.csv.gz", "summary.json"]
)
def test_a_folder_without_one_of_its_parts_has_a_report(tmp_path, missing):
    synthetic.make_folder(tmp_path)
    (tmp_path / missing).unlink()
    words = Page(report.write(tmp_path).read_text()).words
    assert missing not in words or missing == "summary.json"
    assert ("? Inconclusive" in words) == (missing == "summary.json")


def test_an_interrupted_run_says_so(tmp_path):
    little = {
        "name": "x",
        "title": "Cut off",
        "verdict": "inconclusive",
        "why": "interrupted",
        "arms": [{"name": "first"}],
    }
    tmp_path.joinpath("summary.json").write_text(json.dumps(little))
    tmp_path.joinpath("environment.json").write_text('{"seed": 1, "versi')
    words = " ".join(Page(report.write(tmp_path).read_text()).words.split())
    for said in ("? Inconclusive interrupted", "Nothing was checked", "No prediction was written", "not recorded",
                 "The books were not compared"):  # fmt: skip
        assert said in words


def test_a_folder_that_cannot_be_written_is_an_error(tmp_path):
    with pytest.raises(OSError):
        report.write(Path(tmp_path / "nowhere"))


def test_numbers_are_written_with_three_digits_that_count():
    numbers = [1234.5, 0.012345, 12.0, 1234567, 0.0, True, None, float("nan"), "text", 99.96]
    assert [figure(n) for n in numbers] == [
        "1,230",
        "0.0123",
        "12.0",
        "1,234,567",
        "0",
        "yes",
        NONE,
        NONE,
        "text",
        "100.0",
    ]
    assert figure(1.5, "ms") == "1.50 ms"
    assert figure(-3.04e-17) == "-3.0e-17"
    assert (figure(80, "1/s"), figure(80, "/s"), figure(0.5, "1")) == ("80/s", "80/s", "0.500 1")
    assert figure(None, "ms") == NONE
    assert percent(-0.0526) == "\N{MINUS SIGN}5.3\N{NO-BREAK SPACE}%"
    assert percent(None) == NONE
    assert [bounds(*ends) for ends in ((1.0, 2.0), (None, 2.0), (1.0, None), (None, None))] == [
        "1.00 to 2.00", "at most 2.00", "at least 1.00", NONE,
    ]  # fmt: skip
    assert (interval(1.0, 2.0), interval(None, 2.0)) == ("1.00 to 2.00", NONE)


def test_inputs_are_written_with_their_units():
    assert inputs({"rate": {"value": 80, "unit": "1/s"}, "n": 3, "s": [0.5, "s"]}) == "rate = 80/s, n = 3, s = 0.500 s"
    assert spell({"cores": 2, "tags": ["a", "b"]}) == "cores 2, tags a, b"


def test_a_formula_that_cannot_be_drawn_is_shown_as_it_was_written():
    assert "<mfrac>" in formula(r"\frac{\lambda}{\mu}")
    assert "λ" in formula(r"\lambda")
    assert formula("", "a < b") == "<code>a &lt; b</code>"
    assert formula(r"\frac{", "y") == "<code>y</code>"
