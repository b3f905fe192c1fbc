#!/usr/bin/env bash
# SPDX-License-Identifier: MPL-2.0
# The archive on a Ray cluster of two nodes in this machine, with 60 recordings of which one is empty, one is corrupt and one
# kills its process; a worker and a node are killed in the middle. It is no part of tests/run.sh, because Ray takes 600 MB;
# docs/archive.md has its last result. Needs a build (cargo build -p recording-worker -p realtime-server) and the models.
#
#   tests/archive.sh [NAME...]      all, or some of: cluster limits budget s3 throughput address
. "$(dirname "$0")/../pipelines/support/install.sh"
set -euo pipefail
: "${PROFILE:=debug}"
environment=${ARCHIVE_ENVIRONMENT:-$CARGO_TARGET_DIR/archive-environment}
if ! "$environment/bin/python" -c 'import moto, ray' 2>/dev/null; then
    python3 -m venv "$environment"
    "$environment/bin/pip" install --quiet --requirement "$project/pipelines/archive/requirements.txt" 'moto[server]==5.2.5'
fi
export PATH=$CARGO_TARGET_DIR/$PROFILE:$PATH PYTHONPATH=$project/pipelines/archive PYTHONDONTWRITEBYTECODE=1
exec "$environment/bin/python" "$project/tests/archive/on_ray.py" "$@"
