# SPDX-License-Identifier: MPL-2.0
# Sourced: functions that install what is missing on Debian and its kin, and build the project.
# They do nothing, quickly, where all is there, and say what they do where it is not.

project=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
: "${CARGO_TARGET_DIR:=$project/target}"
export CARGO_TARGET_DIR

say() { printf '%s\n' "$*" >&2; }
fail() { say "error: $*"; exit 1; }

# The oldest Rust that builds the local server.
least_rust=1.94

# install_packages PACKAGE...: those that are missing, by apt.
install_packages() {
    local missing=()
    local package
    for package in "$@"; do
        dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
    done
    [ ${#missing[@]} -gt 0 ] || return 0
    command -v apt-get >/dev/null || fail "these packages are needed, and there is no apt-get to install them: ${missing[*]}"
    local as_root=()
    if [ "$(id -u)" != 0 ]; then
        command -v sudo >/dev/null || fail "as root, run: apt-get install ${missing[*]}"
        as_root=(sudo)
    fi
    say "Installing ${missing[*]}"
    "${as_root[@]}" apt-get update -qq
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
}

# What building and running need.
install_gstreamer() {
    command -v dpkg-query >/dev/null || {
        command -v gst-launch-1.0 >/dev/null && pkg-config --exists gstreamer-base-1.0 gstreamer-audio-1.0 && return 0
        fail "GStreamer 1.22 or newer is needed, with its development files and the base, good and bad plugins"
    }
    install_packages build-essential ca-certificates pkg-config libgstreamer1.0-dev libgstreamer-plugins-base1.0-dev \
        libgstreamer-plugins-bad1.0-dev gstreamer1.0-tools gstreamer1.0-plugins-base gstreamer1.0-plugins-good \
        gstreamer1.0-plugins-bad gstreamer1.0-nice
}

need_rust() {
    command -v cargo >/dev/null || PATH="$HOME/.cargo/bin:$PATH"
    local version
    version=$(rustc --version 2>/dev/null | cut -d' ' -f2) || true
    if [ -z "$version" ] || [ "$(printf '%s\n' "$least_rust" "$version" | sort -V | head -n1)" != "$least_rust" ]; then
        fail "Rust $least_rust or newer is needed (found: ${version:-none}). Install it with
    curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs | sh
and run this again."
    fi
}

# The models of the local server.
install_models() {
    if ! python3 -m pip --version >/dev/null 2>&1 && command -v dpkg-query >/dev/null; then
        install_packages python3-pip
    fi
    "$project/pipelines/support/get-models.sh"
}

# build PROFILE: the plugin, the local server and the tools, into $CARGO_TARGET_DIR.
build() {
    say "Building (profile $1; the first time this takes some minutes)"
    (cd "$project" && cargo build --quiet --locked --profile "$1" --workspace --lib --bins)
}
