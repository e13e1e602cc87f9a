#!/bin/sh
# Writes the requirements anew: the exact version and hashes of everything in pyproject.toml, for every platform, and
# beside the two Dockerfiles the part of it that goes into their images, with the same versions.
# Which index is asked is the user's own configuration of pip and uv; no address is written into the files.
set -eu
cd "$(dirname "$0")/.."
uv=.venv/bin/uv
if [ ! -x "$uv" ]; then
    .venv/bin/python -m pip install -q --disable-pip-version-check uv
fi
compile() {
    "$uv" pip compile -q --universal --generate-hashes --python-version 3.11 --no-header --no-annotate \
        --no-emit-index-url "$@"
}
compile --all-extras "$@" --output-file requirements.txt pyproject.toml
compile --constraint requirements.txt --output-file services/requirements.txt pyproject.toml
compile --constraint requirements.txt --output-file gateway/requirements.txt gateway/requirements.in
