"""What counts as a broken link."""

from pathlib import Path

from deploy.checks.links import anchor, broken_links


def page(folder: Path, text: str, name: str = "page.md") -> Path:
    file = folder / name
    file.write_text(text)
    return file


def test_a_link_to_a_file_that_is_not_there_is_found(tmp_path: Path) -> None:
    file = page(tmp_path, "See [the tour](tour.md).\n")
    assert broken_links([file]) == [f"{file}: tour.md: no such file"]


def test_a_link_to_a_heading_that_is_not_there_is_found(tmp_path: Path) -> None:
    page(tmp_path, "# Tour\n\n## First stop\n", "tour.md")
    file = page(tmp_path, "[here](tour.md#second-stop) and [above](#nothing)\n\n# Page\n")
    assert broken_links([file]) == [
        f"{file}: tour.md#second-stop: no such heading",
        f"{file}: #nothing: no such heading",
    ]


def test_a_picture_that_is_not_there_is_found(tmp_path: Path) -> None:
    file = page(tmp_path, "![the shop](shop.png)\n")
    assert broken_links([file]) == [f"{file}: shop.png: no such file"]


def test_what_exists_is_not_reported(tmp_path: Path) -> None:
    page(tmp_path, "# Tour\n\n## `make up`, then what?\n", "tour.md")
    file = page(tmp_path, "[a](tour.md) [b](tour.md#make-up-then-what) [c](#page) [d](.)\n\n# Page\n")
    assert broken_links([file]) == []


def test_addresses_elsewhere_are_not_asked(tmp_path: Path) -> None:
    file = page(tmp_path, "[a](https://example.org/nothing) [b](mailto:nobody@example.org)\n")
    assert broken_links([file]) == []


def test_links_in_code_are_no_links(tmp_path: Path) -> None:
    file = page(tmp_path, "```\n[a](nowhere.md)\n```\n\nWrite `[b](nowhere.md)` for a link.\n")
    assert broken_links([file]) == []


def test_a_comment_in_a_code_block_is_no_heading(tmp_path: Path) -> None:
    file = page(tmp_path, "[a](#start-it)\n\n```\n# start it\n```\n")
    assert broken_links([file]) == [f"{file}: #start-it: no such heading"]


def test_a_heading_is_named_as_the_forges_name_it() -> None:
    assert anchor("What `make up` starts, and [why](why.md)") == "what-make-up-starts-and-why"
