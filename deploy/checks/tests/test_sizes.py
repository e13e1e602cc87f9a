"""What counts as a line of code, and which files are measured."""

from pathlib import Path

from deploy.checks.sizes import code_lines, measure

LONG_ASYNC = "async def long():\n" + "    await step()\n" * 9


def test_docstrings_comments_and_blank_lines_are_not_counted() -> None:
    text = '''"""A module
of two lines."""

# a comment
import os


class Thing:
    """A class."""

    def name(self):
        """A method."""
        return os.name  # said beside code

    async def wait(self):
        """A coroutine,
        in two lines."""
        return 1
'''
    assert code_lines(text) == 6


def test_a_string_that_is_no_docstring_is_counted_with_all_its_lines() -> None:
    assert code_lines('text = """one\ntwo\nthree"""\n') == 3


def test_tests_their_helpers_migrations_and_seeds_are_left_out(tmp_path: Path) -> None:
    (tmp_path / "tests").mkdir()
    (tmp_path / "migrations").mkdir()
    for name in ("tests/test_a.py", "migrations/0001_initial.py", "seed.py", "testing.py", "testing_postgres.py"):
        (tmp_path / name).write_text("a = 1\n")
    (tmp_path / "usecases.py").write_text("a = 1\nb = 2\n")
    part = measure(tmp_path)
    assert (part.lines, part.longest_file) == (2, (2, "usecases.py"))


def test_the_longest_function_may_be_a_coroutine(tmp_path: Path) -> None:
    (tmp_path / "work.py").write_text("def short():\n    return 1\n\n\n" + LONG_ASYNC)
    assert measure(tmp_path).longest_function == (10, "work.py:long")
