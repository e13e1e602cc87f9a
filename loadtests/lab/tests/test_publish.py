"""Runs in the documentation: what is written, what stays, and what is refused."""

import json
import re

import pytest

from loadtests.lab import experiment as experiments
from loadtests.lab import publish, published
from loadtests.lab.errors import CannotRun
from loadtests.lab.figures import NONE
from loadtests.lab.tests import synthetic

OFF = "\N{MINUS SIGN}56.2\N{NO-BREAK SPACE}%"
WRITTEN_BY_HAND = (
    "# The bank\n\nWords before.\n\n<!-- run -->\nold ![x](img/bank-away-old.svg)\n<!-- /run -->\n\nAfter.\n"
)


@pytest.fixture
def folder(tmp_path):
    made = synthetic.make_folder(tmp_path / "results" / "bank-away-20260101T120000Z")
    (made / "plots").mkdir()
    (made / "plots" / "timeline.svg").write_text('<?xml version="1.0"?>\n<svg><path d="M 1.23456 0.015625"/></svg>\n')
    plots = [{"file": "plots/timeline.svg", "title": "The bank | is away", "caption": "Rates are per second."}]
    what = "catalog-127.0.0.1-40123 stands still"
    fault = {"arm": "breaker on", "what": what, "begin_s": 20.0, "end_s": 30.0, "failed": 3, "recovery_s": None}
    synthetic.write_summary(made, plots=plots, faults=[fault])
    return made


def page_of(docs):
    return (docs / "bank-away.md").read_text()


def every_file(docs):
    return {file: file.read_text() for file in docs.rglob("*") if file.is_file()}


def test_a_page_has_verdict_checks_faults_audit_plots_and_environment(folder, tmp_path):
    assert publish.publish([folder], tmp_path / "docs") == [tmp_path / "docs" / "bank-away.md"]
    page = page_of(tmp_path / "docs")
    for words in (
        "**Failed**: 1 of 2 checks failed", "(`--quick`)",
        f"| failed requests | 80.0 requests | 35.0 requests | {OFF} | 24.0 to 48.0 | **not kept** |",
        f"| breaker on: catalog 40123 stands still, for 10.0 s | {NONE} | not seen | 3 |", "Audit: clean",
        "![The bank \\| is away](img/bank-away-timeline.svg)", "2 cores (Example CPU), 26 GB of memory", "nginx 1.22.1",
        "seed 1", "`ORDER_DEADLINE_S=30`", "rate = 80/s", "| breaker off, page | 3,800 | 22.1 | 21.5 to 22.7 |",
    ):  # fmt: skip
        assert words in page, words


def test_when_and_where_it_ran_stays_out(folder, tmp_path):
    about = synthetic.ENVIRONMENT | {"host": "somebodys-machine", "command": "/somewhere/souk", "target": "http://x"}
    (folder / "environment.json").write_text(json.dumps(about))
    publish.publish([folder], tmp_path / "docs")
    assert not re.search(r"somebodys|somewhere|http://x|2026-|20260101|127\.0\.0\.1", page_of(tmp_path / "docs"))


def test_a_page_that_does_not_exist_yet_asks_the_question_and_has_headings(folder, tmp_path):
    publish.publish([folder], tmp_path / "docs")
    page = page_of(tmp_path / "docs")
    for words in ("# The bank is away\n", "The bank hangs: what happens", "## The maths", "## Why they differ"):
        assert words in page
    assert page.endswith("\n")


def test_what_people_wrote_stays_and_a_picture_that_is_not_shown_any_more_goes(folder, tmp_path):
    (tmp_path / "img").mkdir()
    (tmp_path / "bank-away.md").write_text(WRITTEN_BY_HAND)
    for name in ("bank-away-old", "retry-storm-timeline"):
        (tmp_path / "img" / f"{name}.svg").write_text("<svg/>")
    publish.publish([folder], tmp_path)
    page = page_of(tmp_path)
    assert page.startswith("# The bank\n\nWords before.\n\n<!-- run -->\n**Failed**")
    assert page.endswith("\n<!-- /run -->\n\nAfter.\n")
    names = {file.name for file in (tmp_path / "img").iterdir()}
    assert names == {"bank-away-timeline.svg", "retry-storm-timeline.svg"}


def test_publishing_again_changes_nothing(folder, tmp_path):
    publish.publish([folder], tmp_path / "docs")
    before = every_file(tmp_path / "docs")
    publish.publish([folder], tmp_path / "docs")
    assert every_file(tmp_path / "docs") == before


def test_the_table_names_all_experiments_and_keeps_what_others_found(folder, tmp_path):
    text = publish.NEW_README.replace(
        publish.END, f"| [overload](overload.md) | an old question \\| or two? | a | b | passed |\n{publish.END}"
    )
    (tmp_path / "README.md").write_text(f"{text}\nAfter.\n")
    publish.publish([folder], tmp_path)
    table = (tmp_path / "README.md").read_text()
    assert publish.ROW.findall(table) == [
        (one.name, {
            "overload": "a | b | passed",
            "bank-away": "failed requests: 80.0 requests | "
            f"35.0 requests ({OFF}); 1 of 2 checks kept | failed, a quick run",
        }.get(one.name, published.NOT_YET))
        for one in experiments.every()
    ]  # fmt: skip
    assert "an old question" not in table
    assert table.endswith("\nAfter.\n")


@pytest.mark.parametrize(
    ("checks", "shown"),
    [
        ([("a", True, 0.1), ("b", True, -0.15)], "b"),
        ([("a", False, 0.3), ("b", True, 0.1)], "a"),
        ([("a", None, None), ("b", True, 0.1)], "a"),
        ([("a", True, None), ("b", True, 0.0)], "b"),
    ],
)
def test_the_table_shows_the_check_that_came_off_worst(checks, shown):
    rows = [synthetic.check(name, passed, error=error) for name, passed, error in checks]
    assert published.shortly(published.Run(synthetic.summary() | {"checks": rows}, {}, [])).startswith(f"{shown}: ")


def test_the_newest_folder_of_each_experiment_is_taken(tmp_path):
    for name in ("overload-20260101T120000Z", "overload-20260102T110000Z", "bank-away-20260101T120000Z", "other-1"):
        synthetic.write_summary(tmp_path / name)
    (tmp_path / "overload-20260103T110000Z").mkdir()  # one that still runs
    assert [folder.name for folder in publish.newest(tmp_path)] == [
        "bank-away-20260101T120000Z", "overload-20260102T110000Z",
    ]  # fmt: skip
    with pytest.raises(CannotRun, match=r"no results in .*souk experiment run NAME"):
        publish.newest(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("file", "content", "said"),
    [
        ("summary.json", None, "cannot read .*summary.json"),
        ("summary.json", '{"name": "bank-aw', "summary.json is broken"),
        ("summary.json", "[]", "is no summary of a run"),
        ("summary.json", json.dumps(synthetic.summary() | {"name": "party"}), "'party', and there is no such"),
        ("summary.json", json.dumps(synthetic.summary() | {"checks": ["x"]}), "is no summary of a run"),
        ("summary.json", json.dumps(synthetic.summary() | {"arms": [{"cpu": 3}]}), "is broken"),
        ("prediction.json", '["x"]', "is broken"),
        ("environment.json", None, "cannot read .*environment.json"),
        ("plots/timeline.svg", None, "cannot read .*timeline.svg"),
    ],
)
def test_broken_results_are_refused_in_one_line_and_nothing_is_written(folder, tmp_path, file, content, said):
    (folder / file).unlink() if content is None else (folder / file).write_text(content)
    with pytest.raises(CannotRun, match=said) as error:
        publish.publish([folder], tmp_path / "docs")
    assert "\n" not in str(error.value)
    assert not (tmp_path / "docs").exists()


def test_a_page_without_markers_is_refused(folder, tmp_path):
    (tmp_path / "bank-away.md").write_text("# The bank\n")
    with pytest.raises(CannotRun, match=r"bank-away.md has no <!-- run -->"):
        publish.publish([folder], tmp_path)


def test_a_picture_is_made_smaller_but_its_scales_stay():
    scaled = '<g transform="scale(0.015625)"/>'
    picture = f'<?xml?>\n<!DOCTYPE svg>\n<svg>\n  <!-- x -->\n {scaled}\n <path d="M 10.23456 -7.5"/>\n</svg>\n'
    assert publish.slim(picture) == f'<svg>\n{scaled}\n<path d="M 10.23 -7.5"/>\n</svg>\n'


def test_each_experiment_has_a_page_and_each_page_an_experiment():
    pages = {file.stem: file.read_text() for file in publish.DOCS.glob("*.md")}
    readme = pages.pop("README")
    assert sorted(pages) == experiments.names()
    assert [name for name, _ in publish.ROW.findall(readme)] == [one.name for one in experiments.every()]


@pytest.mark.parametrize("name", experiments.names())
def test_a_page_has_what_a_page_is_to_have(name):
    page = (publish.DOCS / f"{name}.md").read_text()
    one = experiments.load(name)
    headings = re.findall(r"^## (.*)$", page, re.MULTILINE)
    assert headings == [
        "The maths",
        "How to run it",
        "What to look at",
        "What came",
        "Why they differ",
    ]
    assert page.startswith(f"# {one.title}\n")
    assert one.question in " ".join(page.split())
    assert "$$" in page
    assert f"souk experiment run {name}" in page
    assert publish.between(page, "", publish.DOCS)
