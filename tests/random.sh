#!/usr/bin/env bash
# SPDX-License-Identifier: MPL-2.0
# Does anything in any order to the element, in one process: state changes, seeks, flushes, pads, properties, actions and
# faults of servers. It must not hang, warn or leave threads and connections behind. A seed gives the same choices again.
#
#   tests/random.sh [--valgrind] [STEPS [SEED]]      default: 10000 steps (300 under valgrind), a new seed
set -euo pipefail
. "$(dirname "$0")/../pipelines/support/install.sh"
cd "$project"

valgrind=
if [ "${1:-}" = --valgrind ]; then
    valgrind=yes
    shift
fi
export RANDOM_STEPS=${1:-$([ -n "$valgrind" ] && echo 300 || echo 10000)} RANDOM_SEED=${2:-$(date +%s)}
export G_DEBUG=fatal-warnings
say "RANDOM_STEPS=$RANDOM_STEPS RANDOM_SEED=$RANDOM_SEED"

program=$(cargo test --locked --workspace --test random --no-run 2>&1 \
    | sed -n 's/.*(\(.*\/random-[0-9a-f]*\)).*/\1/p')
[ -x "$program" ] || fail "tests/random.rs does not build"
run=("$program" --exact a_random_walk_leaves_nothing --nocapture)
if [ -n "$valgrind" ]; then
    command -v valgrind >/dev/null || install_packages valgrind
    # Allocations of GLib and GStreamer that live as long as the process are no leaks; errors of access are errors.
    suppressions=(--suppressions=tests/valgrind.supp)
    for file in /usr/share/glib-2.0/valgrind/glib.supp /usr/share/gstreamer-1.0/valgrind/*.supp; do
        [ ! -f "$file" ] || suppressions+=("--suppressions=$file")
    done
    export G_SLICE=always-malloc
    run=(valgrind --error-exitcode=9 --leak-check=no --num-callers=30 "${suppressions[@]}" "${run[@]}")
fi
"${run[@]}"
