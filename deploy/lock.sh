#!/bin/sh
# Writes requirements.txt anew: the exact version and hashes of everything in pyproject.toml, for every platform.
# Which index is asked is the user's own configuration of pip and uv; no address is written into the file.
set -eu
cd "$(dirname "$0")/.."
uv=.venv/bin/uv
if [ ! -x "$uv" ]; then
    .venv/bin/python -m pip install -q --disable-pip-version-check uv
fi
"$uv" pip compile -q --universal --generate-hashes --python-version 3.11 --no-header --no-annotate \
    --no-emit-index-url --extra dev "$@" --output-file requirements.txt pyproject.toml
