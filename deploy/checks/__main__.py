"""`python -m deploy.checks`: style, types, import rules, security, sizes and links. Exits with 1 when one fails."""

import subprocess
import sys
from pathlib import Path

from deploy.checks import links, sizes, vulnerabilities

PACKAGES = ("services", "gateway", "deploy", "loadtests", "bench")
BIN = Path(sys.executable).parent
COMMANDS = {
    "style (ruff check)": ["ruff", "check", "--no-cache", "."],
    "format (ruff format)": ["ruff", "format", "--check", "."],
    "types (mypy)": ["mypy"],
    "import rules (import-linter)": ["lint-imports"],
    "insecure code (bandit)": ["bandit", "-q", "-c", "pyproject.toml", "-r", *PACKAGES],
}


def run(name: str, command: list[str]) -> bool:
    """Run one of the tools of this environment; show what it prints only if it fails."""
    result = subprocess.run(
        [str(BIN / command[0]), *command[1:]], cwd=links.ROOT, capture_output=True, text=True, check=False
    )
    print(f"{'ok    ' if result.returncode == 0 else 'FAILED'} {name}")
    if result.returncode:
        print(result.stdout + result.stderr)
    return result.returncode == 0


def main() -> int:
    passed = [run(name, command) for name, command in COMMANDS.items()]
    broken = links.broken_links(links.documents())
    print(f"{'FAILED' if broken else 'ok    '} links in the documentation", *broken, sep="\n  ")
    verdict, report = vulnerabilities.audit()
    print(verdict, report)
    sizes.show()
    return 0 if all(passed) and not broken and verdict != "FAILED" else 1


if __name__ == "__main__":
    sys.exit(main())
