"""pip-audit: what is made of its answers. It is played by small programs, so this needs no network."""

import sys

import pytest

from deploy.checks.vulnerabilities import audit

FOUND = "print('Name Version ID\\nflask 0.1 PYSEC-1'); raise SystemExit(1)"
AWAY = "raise ConnectionError('no route')"
BROKEN = "raise ValueError('requirements.txt, line 7')"


@pytest.mark.parametrize(
    ("program", "verdict", "said"),
    [
        ("", "ok    ", "pip-audit"),
        (FOUND, "FAILED", "PYSEC-1"),
        (AWAY, "skipped", "cannot be reached (ConnectionError)"),
        (BROKEN, "FAILED", "line 7"),
    ],
)
def test_only_an_unreachable_service_is_skipped(program, verdict, said):
    found, report = audit([sys.executable, "-c", program])
    assert (found, said in report) == (verdict, True)


def test_a_service_that_does_not_answer_holds_nobody_up():
    assert audit([sys.executable, "-c", "import time; time.sleep(60)"], longest_s=0.1)[0] == "skipped"
