"""Known vulnerabilities in the packages of requirements.txt, by pip-audit, where its data can be reached."""

import subprocess
import sys
from pathlib import Path

from deploy.checks.links import ROOT

NAME = "known vulnerabilities (pip-audit)"
# OSV and not the package index: a mirror of that one answers 404 for the data, which pip-audit takes for "none".
COMMAND = [
    str(Path(sys.executable).with_name("pip-audit")), "--requirement", "requirements.txt", "--require-hashes",
    "--disable-pip", "--vulnerability-service", "osv", "--timeout", "3", "--progress-spinner", "off",
]  # fmt: skip
LONGEST_S = 60
NOT_REACHED = ("requests.exceptions.", "ServiceError", "ConnectionError")


def audit(command: list[str] = COMMAND, longest_s: float = LONGEST_S) -> tuple[str, str]:
    """A verdict, "ok    ", "FAILED" or "skipped", and what to print behind it. Never takes longer than that."""
    try:
        result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=longest_s, check=False)
    except subprocess.TimeoutExpired:
        return "skipped", f"{NAME}: its data cannot be reached (no answer in {longest_s} s)"
    if result.returncode == 0:
        return "ok    ", NAME
    last = (result.stderr.strip().splitlines() or [""])[-1]
    if not result.stdout.strip() and any(name in last for name in NOT_REACHED):
        return "skipped", f"{NAME}: its data cannot be reached ({last.partition(':')[0]})"
    return "FAILED", f"{NAME}\n{result.stdout}{result.stderr}"
