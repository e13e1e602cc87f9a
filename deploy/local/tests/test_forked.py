import json
import os
import subprocess
import sys

import pytest

TOLD = """
import os, sys
print(__name__, sys.argv[1:], os.environ.get("COLOUR"), os.environ.get("OURS"))
if "fail" in sys.argv: raise SystemExit("it is mauve")
if "break" in sys.argv: raise ValueError("no such colour")
"""


@pytest.fixture
def carried_out(tmp_path):
    """Carry out some orders of a module that says what it was told; returns what is said of them, and their logs."""
    (tmp_path / "told.py").write_text(TOLD)
    (tmp_path / "early.py").write_text("import os; print('imported once', flush=True)")
    path = {"PATH": os.environ["PATH"], "PYTHONPATH": str(tmp_path)}

    def carry_out(*orders):
        texts = [
            {"name": "told", "words": words, "env": {**path, **env}, "log": str(tmp_path / f"{number}.log")}
            for number, (words, env) in enumerate(orders)
        ]
        done = subprocess.run(
            [sys.executable, "-m", "deploy.local.forked", "early", "not_there"],
            input=json.dumps(texts) + "\n", env=path | {"OURS": "yes"}, capture_output=True, text=True, check=True,
        )  # fmt: skip
        first, *said = done.stdout.splitlines()
        assert first == "imported once"
        return [json.loads(line) for line in said], [(tmp_path / f"{n}.log").read_text() for n in range(len(orders))]

    return carry_out


def test_each_has_its_own_words_environment_and_log(carried_out):
    said, logs = carried_out(
        (["migrate"], {"COLOUR": "red"}), (["migrate", "seed"], {}), (["wait"], {"COLOUR": "blue"})
    )
    assert said == [{"name": "told", "exit": 0}] * 3
    assert logs == [
        "__main__ ['migrate'] red None\n", "__main__ ['migrate', 'seed'] None None\n", "__main__ ['wait'] blue None\n"
    ]  # fmt: skip


def test_one_that_fails_keeps_no_other_from_its_end(carried_out):
    said, logs = carried_out((["fail"], {}), (["break"], {}), (["migrate"], {}))
    assert sorted(each["exit"] for each in said) == [0, 1, 1]
    assert "it is mauve" in logs[0]
    assert "ValueError: no such colour" in logs[1]


def test_nothing_to_do(carried_out):
    assert carried_out() == ([], [])
