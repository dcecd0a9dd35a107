#!/bin/sh
# Writes the hashed requirement files anew: `make lock`. Needs uv. They name no index, on purpose:
# where packages come from is the business of whoever installs them.
set -eu
cd "$(dirname "$0")/.."

compile() {
    "${UV:-uv}" pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes \
        --no-emit-index-url --no-emit-find-links --custom-compile-command 'make lock' "$@"
}

# What the gateway runs with, and what builds its wheel.
compile pyproject.toml --extra redis --extra fast --output-file deploy/requirements.txt
printf 'hatchling>=1.27\n' | compile - --output-file deploy/requirements-build.txt
