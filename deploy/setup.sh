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

# install_package APT_NAME DNF_NAME BREW_NAME
install_package() {
    if command -v apt-get >/dev/null 2>&1; then
        as_root env DEBIAN_FRONTEND=noninteractive sh -c \
            "apt-get update -qq && apt-get install -y -qq --no-install-recommends $1" >&2
    elif command -v dnf >/dev/null 2>&1; then as_root dnf install -y -q "$2" >&2
    elif command -v brew >/dev/null 2>&1; then brew install -q "$3" >&2
    else return 1
    fi
}

find_python() {
    for name in ${PYTHON:-} python3 python3.14 python3.13 python3.12 python3.11; do
        if "$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then
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
    if ! .venv/bin/python -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then
        make_venv
    fi
    say "installing the packages of requirements.txt into .venv"
    .venv/bin/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements.txt ||
        fail "pip could not install requirements.txt: see its message above"
    .venv/bin/python -m pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e . ||
        fail "pip could not install this project into .venv: see its message above"
    echo "$wanted" >.venv/souk.stamp
}

install_nginx() {
    say "installing nginx from this system's packages"
    install_package nginx-light nginx nginx ||
        fail "nginx is missing and cannot be installed from here: install nginx by hand, then try again"
}

# The environment fits when both files are what they were and it still lies where it was made.
wanted="$(cksum requirements.txt pyproject.toml) $(pwd)"
if [ "$(cat .venv/souk.stamp 2>/dev/null)" != "$wanted" ]; then
    install_packages
fi

PATH="$PATH:/usr/sbin:/usr/local/sbin:/usr/local/bin:/opt/homebrew/bin"
command -v "${NGINX_BIN:-nginx}" >/dev/null 2>&1 || install_nginx
