"""What must not be in any tracked file: this machine, a package index, a secret, and what only looks finished."""

import re
import subprocess

import pytest

from services.tests.shop import SERVICES

ROOT = SERVICES.parent
NEVER = {
    "a path of one machine": r"(?<![\w.$}*~)\]-])/(?:work|home|Users|root)/\w",
    "a package index": r"pypi[.]org|pythonhoste[d]|npmjs[.]org|proxy[.]golang|(?<!no-emit-)index-ur[l]|trusted-hos[t]",
    "a host name that may mean ::1": r"//local[h]ost:\d",
    "a private key": r"-----BEGIN [A-Z ]*PRIVATE KEY-----(?:$|\\n)",
    "a token": r"\beyJ[\w-]{20,}[.]\w|\bAKIA[0-9A-Z]{16}\b|\bgh[pousr]_\w{30,}",
    "something unfinished": r"\b(?:TO[D]O|FIX[M]E|XX[X])\b",
}


@pytest.fixture(scope="module")
def texts():
    """Every tracked file that is text, by its name."""
    if not (ROOT / ".git").exists():
        pytest.skip("this is no git checkout, so it is not known which files are tracked")
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True)
    files = [ROOT / name for name in listed.stdout.split("\0") if name]
    contents = {file.relative_to(ROOT): file.read_bytes() for file in files if file.is_file()}
    return {str(name): data.decode() for name, data in contents.items() if b"\0" not in data}


@pytest.mark.parametrize("what", NEVER)
def test_no_tracked_file_has(texts, what):
    found = [
        f"{name}:{number}: {line.strip()[:120]}"
        for name, text in texts.items()
        for number, line in enumerate(text.splitlines(), 1)
        if re.search(NEVER[what], line)
    ]
    assert found == []


def test_what_a_run_writes_is_not_tracked(texts):
    written = [
        name for name in texts if re.search(r"(^|/)(\.souk|\.venv|__pycache__|results)/|\.(db|log|pid|keys?)$", name)
    ]
    assert written == []
