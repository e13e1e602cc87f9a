import os
import shutil
import subprocess
from pathlib import Path

import pytest

DEPLOY = Path(__file__).resolve().parents[2]
TOOLS = ("sh", "dirname", "cat", "cksum", "pwd", "id", "env", "mkdir", "touch", "sed", "printf")
# Stands for a Python: makes a .venv whose pip notes what it was told.
PYTHON = """#!/bin/sh
case "$*" in
*version_info\\[:2\\]*) echo python3.99-venv ;;
*ensurepip*) exit {no_ensurepip} ;;
*venv*)
    mkdir -p .venv/bin
    cat > .venv/bin/python <<'END'
#!/bin/sh
case "$*" in *"-m pip"*) echo "$*" >> pip.log ;; esac
END
    {chmod} +x .venv/bin/python ;;
*"< (3, 11)"*) exit {too_old} ;;
esac
"""


@pytest.fixture
def machine(tmp_path):
    """A project folder and a PATH with the tools that every system has, and nothing else."""
    tools = tmp_path / "bin"
    tools.mkdir()
    for name in TOOLS:
        if found := shutil.which(name):
            (tools / name).symlink_to(found)
    project = tmp_path / "project"
    (project / "deploy").mkdir(parents=True)
    shutil.copy(DEPLOY / "setup.sh", project / "deploy")
    (project / "requirements.txt").write_text("flask==1\n")
    (project / "pyproject.toml").write_text("[project]\n")
    return tmp_path


def add(machine, name, text):
    file = machine / "bin" / name
    file.write_text(text)
    file.chmod(0o755)


def add_python(machine, no_ensurepip=0, too_old=0):
    chmod = shutil.which("chmod")
    for name in ("python3", *(f"python3.{minor}" for minor in range(11, 15))):
        text = PYTHON.format(no_ensurepip=no_ensurepip, too_old=too_old, chmod=chmod)
        add(machine, name, text)


def setup(machine, nginx="sh", project="project"):
    env = {"PATH": str(machine / "bin"), "NGINX_BIN": nginx, "HOME": str(machine)}
    words = [shutil.which("sh"), "deploy/setup.sh"]
    done = subprocess.run(words, cwd=machine / project, env=env, capture_output=True, text=True, check=False)
    return done.returncode, done.stderr


def pip_calls(machine):
    log = machine / "project" / "pip.log"
    return log.read_text().splitlines() if log.exists() else []


def test_packages_are_installed_by_their_hashes_once(machine):
    add_python(machine)
    assert setup(machine)[0] == 0
    first, second = pip_calls(machine)
    assert "--require-hashes -r requirements.txt" in first
    assert "--no-deps" in second
    assert setup(machine) == (0, "")
    assert len(pip_calls(machine)) == 2


def test_other_requirements_are_installed_into_the_same_environment(machine):
    add_python(machine)
    setup(machine)
    (machine / "project/.venv/mark").touch()
    (machine / "project/requirements.txt").write_text("flask==2\n")
    setup(machine)
    assert len(pip_calls(machine)) == 4
    assert (machine / "project/.venv/mark").exists()


def test_an_environment_that_was_moved_is_made_again(machine):
    # Its scripts name the old place in their first line.
    add_python(machine)
    setup(machine)
    (machine / "project").rename(machine / "moved")
    code, said = setup(machine, project="moved")
    assert (code, "making .venv" in said) == (0, True)


def test_without_a_new_enough_python_there_is_one_clear_line(machine):
    add_python(machine, too_old=1)
    code, said = setup(machine)
    assert (code, said.count("\n")) == (1, 1)
    assert "Python 3.11 or newer is needed" in said


def test_a_python_without_ensurepip_gets_its_package_or_a_clear_line(machine):
    add_python(machine, no_ensurepip=1)
    code, said = setup(machine)
    assert code == 1
    assert "install the package python3.99-venv" in said
    # The package manager is asked; this one makes the missing part appear.
    add(machine, "apt-get", '#!/bin/sh\necho "$*" >> apt.log\n')
    if os.getuid() != 0:
        add(machine, "sudo", '#!/bin/sh\nexec "$@"\n')
    assert setup(machine)[0] == 0
    assert "--no-install-recommends python3.99-venv" in (machine / "project/apt.log").read_text()


def test_nginx_is_installed_or_a_clear_line_says_that_it_is_missing(machine):
    add_python(machine)
    code, said = setup(machine, nginx="no-such-nginx")
    assert code == 1
    assert "nginx is missing" in said.splitlines()[-1]
    add(machine, "brew", '#!/bin/sh\necho "$*" >> brew.log\n')
    assert setup(machine, nginx="no-such-nginx")[0] == 0
    assert (machine / "project/brew.log").read_text() == "install -q nginx\n"


def test_every_target_of_the_makefile_is_explained():
    if shutil.which("make") is None:
        pytest.skip("there is no make here")
    env = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}  # of a make around us
    text = subprocess.run(["make"], cwd=DEPLOY.parent, env=env, capture_output=True, text=True, check=True).stdout
    targets = {line.split()[1] for line in text.splitlines()}
    phony = (DEPLOY.parent / "Makefile").read_text().split(".PHONY:")[1].splitlines()[0].split()
    assert targets == set(phony)
