#!/usr/bin/env bash
# SPDX-License-Identifier: MPL-2.0
# Runs all tests N times beside a load on every processor, to find those that depend on speed or on luck. At the end it says
# which failed, and how often; the logs of rounds that failed are kept.
#
#   tests/repeat.sh N [ARGUMENTS of cargo test]      e.g. tests/repeat.sh 20 --test element barge_in
set -euo pipefail
. "$(dirname "$0")/../pipelines/support/install.sh"
cd "$project"

rounds=${1:?how often?}
shift
logs="$CARGO_TARGET_DIR/repeat"
mkdir -p "$logs"
rm -f "$logs"/*.log
cargo test --quiet --locked --workspace --no-run "$@"

loads=()
trap 'kill "${loads[@]}" 2>/dev/null || true' EXIT
for _ in $(seq "$(nproc)"); do
    sh -c 'while :; do :; done' &
    loads+=($!)
done

bad=0
for round in $(seq "$rounds"); do
    log="$logs/$round.log"
    if G_DEBUG=fatal-warnings cargo test --quiet --locked --workspace --no-fail-fast "$@" >"$log" 2>&1; then
        rm "$log"
    else
        bad=$((bad + 1))
        say "round $round failed: $log"
    fi
done
say "$rounds rounds, $bad failed"
[ "$bad" = 0 ] || {
    grep -hE '^(    [a-z_:]+$|test .* \.\.\. FAILED$|    `-p |.*\(signal: )' "$logs"/*.log | sort | uniq -c | sort -rn >&2
    fail "not all rounds went well"
}
