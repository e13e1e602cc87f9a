"""`python -m deploy.checks`: style, types, import rules, security, manifests, sizes, links. Exits 1 if one fails."""

import subprocess
import sys
from pathlib import Path

from deploy.checks import kubernetes, links, sizes, vulnerabilities

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
    verdicts = []
    for check in (kubernetes.check, vulnerabilities.audit):
        verdict, report = check()
        print(verdict, report)
        verdicts.append(verdict)
    sizes.show()
    return 0 if all(passed) and not broken and "FAILED" not in verdicts else 1


if __name__ == "__main__":
    sys.exit(main())
