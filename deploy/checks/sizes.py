"""How large the parts are, beside what the house aims at: an aim, not a gate."""

import ast
import io
import tokenize
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).parents[2]
FILE_AIM, FUNCTION_AIM = 150, 30
PART_AIMS = {"chassis": 1200}
SERVICE_AIM = 300
NOT_COUNTED = {"tests", "migrations", "alembic", "__pycache__"}
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


@dataclass(frozen=True)
class Part:
    name: str
    lines: int
    longest_file: tuple[int, str]
    longest_function: tuple[int, str]


def code_lines(text: str) -> int:
    """Lines with code on them: no blank lines, comments or docstrings."""
    docstrings = _docstring_lines(ast.parse(text))
    lines: set[int] = set()
    ignored = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER}
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type not in ignored:
            lines.update(range(token.start[0], token.end[0] + 1))
    return len(lines - docstrings)


def _docstring_lines(tree: ast.Module) -> set[int]:
    lines: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, (ast.Module, ast.ClassDef, *FUNCTIONS)) and ast.get_docstring(node):
            first = node.body[0]
            lines.update(range(first.lineno, (first.end_lineno or first.lineno) + 1))
    return lines


def measure(folder: Path) -> Part:
    """Measure the Python files below `folder`, tests and their helpers, migrations and seeds left out."""
    total, files, functions = 0, [(0, "")], [(0, "")]
    for file in sorted(folder.rglob("*.py")):
        if not _counts(file.relative_to(folder)):
            continue
        text = file.read_text()
        size = code_lines(text)
        total += size
        files.append((size, file.name))
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, FUNCTIONS):
                length = (node.end_lineno or node.lineno) - node.lineno + 1
                functions.append((length, f"{file.name}:{node.name}"))
    return Part(folder.name, total, max(files), max(functions))


def _counts(file: Path) -> bool:
    return not (NOT_COUNTED & set(file.parts) or file.name == "seed.py" or file.name.startswith("testing"))


def parts() -> list[Path]:
    services = sorted(path for path in (ROOT / "services").iterdir() if (path / "__init__.py").exists())
    return [path for path in services if path.name != "tests"] + [ROOT / n for n in ("gateway", "loadtests", "deploy")]


def show() -> None:
    """Print the table; what is over its aim is yellow."""
    table = Table(title=f"sizes in lines of code (aims: file {FILE_AIM}, function {FUNCTION_AIM})")
    for heading in ("part", "lines", "aim", "longest file", "longest function"):
        table.add_column(heading)
    for folder in parts():
        part = measure(folder)
        aim = PART_AIMS.get(part.name, SERVICE_AIM if folder.parent.name == "services" else None)
        table.add_row(
            part.name,
            _coloured(part.lines, aim),
            str(aim or ""),
            f"{_coloured(part.longest_file[0], FILE_AIM)} {part.longest_file[1]}",
            f"{_coloured(part.longest_function[0], FUNCTION_AIM)} {part.longest_function[1]}",
        )
    Console().print(table)


def _coloured(value: int, aim: int | None) -> str:
    return f"[yellow]{value}[/]" if aim is not None and value > aim else str(value)
