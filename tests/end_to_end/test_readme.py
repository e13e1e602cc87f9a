"""«Place an order in 60 seconds» in the README works as it stands: this test pastes it into a shell."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from bench.system import System

pytestmark = [pytest.mark.system, pytest.mark.timeout(300)]
ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()


def blocks() -> str:
    section = README.partition("\n## Place an order in 60 seconds\n")[2].partition("\n## ")[0]
    return "\n".join(re.findall(r"^```sh\n(.*?)^```$", section, re.MULTILINE | re.DOTALL))


@pytest.mark.parametrize("shell", ["sh", "bash"])
def test_the_order_of_the_readme_is_confirmed(system: System, shell: str) -> None:
    script = blocks().replace("http://127.0.0.1:8080", system.gateway)
    script = script.replace(".venv/bin/", f"{Path(sys.executable).parent}/")
    assert system.gateway in script
    done = subprocess.run(
        [shell, "-eu", "-c", script], cwd=ROOT, env=system.env, capture_output=True, text=True, timeout=200, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    lines = done.stdout.splitlines()
    (place,) = [number for number, line in enumerate(lines) if re.fullmatch(r"/api/orders/[0-9a-f-]{36}", line)]
    states = [line for line in lines[place + 1 :] if line in ("PENDING", "RESERVED", "CONFIRMED", "CANCELLED")]
    assert states[-1] == "CONFIRMED"
    assert any(lines[place].rpartition("/")[2] in line for line in lines[place + 1 :])  # the trace tells of it


def test_every_command_of_the_readme_exists(system: System) -> None:
    known = system.souk("--help")
    for command in re.findall(r"souk ([a-z]+)", README):
        assert re.search(rf"\b{command}\b", known), command


def test_every_target_of_the_readme_is_in_the_makefile() -> None:
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert set(re.findall(r"(?:^|`)make ([a-z-]+)", README, re.MULTILINE)) <= set(targets)
