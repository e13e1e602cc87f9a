"""`python -m deploy.checks`: style, types, import rules, security, manifests, sizes, links. Exits 1 if one fails."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from deploy.checks import kubernetes, links, sizes, vulnerabilities

PACKAGES = ("services", "gateway", "deploy", "loadtests", "bench")
BIN = Path(sys.executable).parent
AT_ONCE = 2  # each keeps one core
COMMANDS = {
    "style (ruff check)": ["ruff", "check", "--no-cache", "."],
    "format (ruff format)": ["ruff", "format", "--check", "."],
    "types (mypy)": ["mypy"],
    "import rules (import-linter)": ["lint-imports"],
    "insecure code (bandit)": ["bandit", "-q", "-c", "pyproject.toml", "-r", *PACKAGES],
}


def run(name: str, command: list[str]) -> tuple[str, str]:
    """Run one of the tools of this environment. Returns its verdict, and its name with what it prints if it fails."""
    result = subprocess.run(
        [str(BIN / command[0]), *command[1:]], cwd=links.ROOT, capture_output=True, text=True, check=False
    )
    if result.returncode:
        return "FAILED", f"{name}\n{result.stdout}{result.stderr}"
    return "ok    ", name


def look_at_links() -> tuple[str, str]:
    broken = links.broken_links(links.documents())
    return "FAILED" if broken else "ok    ", "\n  ".join(["links in the documentation", *broken])


def main() -> int:
    tools = [partial(run, name, command) for name, command in COMMANDS.items()]
    verdicts = []
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for verdict, report in pool.map(
            lambda look: look(), [*tools, look_at_links, kubernetes.check, vulnerabilities.audit]
        ):
            print(verdict, report)
            verdicts.append(verdict)
    sizes.show()
    return 1 if "FAILED" in verdicts else 0


if __name__ == "__main__":
    sys.exit(main())
