#!/bin/sh
# Makes a machine ready: .venv with the pinned packages and this project, and nginx.
# What is there already is skipped, so that it may run before every `make` target.
set -eu
cd "$(dirname "$0")/.."

say() { echo "setup: $*" >&2; }
fail() { say "$*"; exit 1; }

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"
    elif command -v sudo >/dev/null 2>&1; then sudo "$@"
    else return 1
    fi
}

new_enough() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; }

# install_package APT_NAME DNF_NAME BREW_NAME
install_package() {
    if command -v apt-get >/dev/null 2>&1; then
        as_root env DEBIAN_FRONTEND=noninteractive sh -c \
            "apt-get update -qq && apt-get install -y -qq -o Dpkg::Use-Pty=0 --no-install-recommends $1 >/dev/null" >&2
    elif command -v dnf >/dev/null 2>&1; then as_root dnf install -y -q "$2" >&2
    elif command -v brew >/dev/null 2>&1; then brew install -q "$3" >&2
    else return 1
    fi
}

find_python() {
    if [ -n "${PYTHON:-}" ]; then
        new_enough "$PYTHON" || fail "PYTHON=$PYTHON is not Python 3.11 or newer: name one that is, or none"
        echo "$PYTHON"
        return
    fi
    for name in python3 python3.14 python3.13 python3.12 python3.11; do
        if new_enough "$name"; then
            echo "$name"
            return
        fi
    done
    fail "Python 3.11 or newer is needed: install it, or name it (make PYTHON=/path/to/python3)"
}

make_venv() {
    python=$(find_python)
    say "making .venv"
    if ! "$python" -c 'import ensurepip' >/dev/null 2>&1; then
        version=$("$python" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')
        say "this Python cannot make environments yet: installing $version"
        install_package "$version" python3-pip python3 ||
            fail "$python has no ensurepip: install the package $version (or python3-venv) by hand, then try again"
    fi
    "$python" -m venv --clear .venv
}

install_packages() {
    # The scripts of an environment name its place, so one that was moved is made again.
    case "$(cat .venv/souk.stamp 2>/dev/null)" in "" | *" $(pwd)") ;; *) make_venv ;; esac
    if ! new_enough .venv/bin/python; then
        make_venv
    fi
    say "installing the packages of requirements.txt into .venv"
    # --no-deps: the file is complete, and an older pip takes a newer pydantic for `pydantic[email]` than the file says.
    .venv/bin/python -m pip install -q --retries 1 --disable-pip-version-check --no-deps --require-hashes \
        -r requirements.txt ||
        fail "pip could not install requirements.txt; is the package index reachable? pip's own message is above"
    .venv/bin/python -m pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e . ||
        fail "pip could not install this project into .venv: see its message above"
    echo "$wanted" >.venv/souk.stamp
}

install_nginx() {
    say "installing nginx from this system's packages"
    install_package nginx-light nginx nginx ||
        fail "nginx is missing and cannot be installed from here: install it by hand (Debian: nginx-light), then try again"
    # Debian's package starts a server of its own on port 80, which nobody here asked for.
    if [ -d /run/systemd/system ]; then as_root systemctl disable -q --now nginx || say "nginx runs on port 80 too"; fi
}

PATH="$PATH:/usr/sbin:/usr/local/sbin:/usr/local/bin:/opt/homebrew/bin"
command -v "${NGINX_BIN:-nginx}" >/dev/null 2>&1 || install_nginx

# The environment fits when both files are what they were and it still lies where it was made.
wanted="$(cksum requirements.txt pyproject.toml) $(pwd)"
if [ "$(cat .venv/souk.stamp 2>/dev/null)" != "$wanted" ]; then
    install_packages
fi
