#!/usr/bin/env bash
# SPDX-License-Identifier: MPL-2.0
# Builds the Debian package, into $CARGO_TARGET_DIR/debian; the last line is its name. Needs `cargo install cargo-deb`.
set -euo pipefail
. "$(dirname "$0")/../../../pipelines/support/install.sh"
cd "$project"
: "${PROFILE:=release}"
built=$CARGO_TARGET_DIR/${PROFILE/dev/debug}
multiarch=$(dpkg-architecture -q DEB_HOST_MULTIARCH)

command -v cargo-deb >/dev/null || fail 'cargo-deb is missing; install it with: cargo install cargo-deb'
install_gstreamer
need_rust
build "$PROFILE"

# What the package is made of, by its folders: see [package.metadata.deb] in Cargo.toml.
rm -rf "$built/deb"
install -D -m 644 --strip "$built/libgstopenairealtime.so" "$built/deb/lib/$multiarch/gstreamer-1.0/libgstopenairealtime.so"
mkdir -p "$built/deb/bin"
install --strip "$built"/{realtime-server,realtime-trace,recording-worker,voice-chat} "$built/deb/bin"
"$built/man-pages" "$built/deb/man"
gzip -9n "$built/deb/man"/*
cargo deb --quiet --locked --no-build --no-strip --profile "$PROFILE" --compress-type xz
