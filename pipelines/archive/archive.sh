#!/usr/bin/env bash
# SPDX-License-Identifier: MPL-2.0
# Works through an archive of recordings: a folder, a glob or object storage, on this machine or on a Ray cluster. The first
# time it makes a Python environment with Ray in it (some 600 MB). Interrupted, it goes on when it is run again.
#
#   pipelines/archive/archive.sh SOURCE OUTPUT [SETTINGS.json] [OPTIONS]       --help tells all of them
. "$(dirname "$0")/../support/prepare.sh"

environment=${ARCHIVE_ENVIRONMENT:-$CARGO_TARGET_DIR/archive-environment}
here=$project/pipelines/archive
if ! cmp -s "$here/requirements.txt" "$environment/requirements.txt"; then
    python3 -c 'import venv, ensurepip' 2>/dev/null || install_packages python3-venv
    say "Installing Ray into $environment"
    python3 -m venv "$environment"
    "$environment/bin/pip" install --quiet --requirement "$here/requirements.txt"
    cp "$here/requirements.txt" "$environment/requirements.txt"
fi
# The nodes of a cluster have the program in their own PATH.
export PYTHONPATH=$here RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO=0
"$environment/bin/python" -m archive "$@"
