"""Every link in the documentation leads somewhere: files, folders and headings. Addresses elsewhere are not asked."""

import re
import subprocess
from pathlib import Path
from urllib.parse import unquote

ROOT = Path(__file__).parents[2]
LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)|!\[[^\]]*\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+\s+(.*?)\s*#*$", re.MULTILINE)
CODE = re.compile(r"^```.*?^```|`[^`\n]*`", re.MULTILINE | re.DOTALL)


def anchor(heading: str) -> str:
    """The name that the usual forges give a heading."""
    text = re.sub(r"[`*_]|\[|\]\([^)]*\)", "", heading).lower()
    return re.sub(r"[^\w\- ]", "", text).replace(" ", "-")


def broken_links(files: list[Path]) -> list[str]:
    """One line for each link that leads nowhere."""
    broken = []
    for file in files:
        text = CODE.sub("", file.read_text())
        for match in LINK.finditer(text):
            target = unquote(match.group(1) or match.group(2))
            if not re.match(r"[a-z]+:", target) and (why := _wrong(file, target)):
                broken.append(f"{file}: {target}: {why}")
    return broken


def _wrong(file: Path, target: str) -> str:
    path, _, fragment = target.partition("#")
    destination = (file.parent / path) if path else file
    if not destination.exists():
        return "no such file"
    if fragment and destination.suffix == ".md":
        headings = {anchor(heading) for heading in HEADING.findall(CODE.sub(_keep_words, destination.read_text()))}
        if fragment not in headings:
            return "no such heading"
    return ""


def _keep_words(match: re.Match[str]) -> str:
    return "" if match.group().startswith("```") else match.group().strip("`")


def documents() -> list[Path]:
    """The Markdown files of the project; git knows which are its. Without git: all that are not hidden."""
    listing = subprocess.run(  # nosec B607 # the user's own git
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.md"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if listing.returncode:
        return [file for file in ROOT.rglob("*.md") if not any(p.startswith(".") for p in file.relative_to(ROOT).parts)]
    return [ROOT / name for name in listing.stdout.splitlines() if (ROOT / name).exists()]
