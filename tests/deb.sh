#!/usr/bin/env bash
# SPDX-License-Identifier: MPL-2.0
# Builds the Debian package, and installs, tries and purges it in a clean Debian 12 (needs root, debootstrap and lintian).
# The local server's models are lent to it: they are not in the package.
#
#   tests/deb.sh            PROFILE=dev for a quicker build
set -euo pipefail
. "$(dirname "$0")/../pipelines/support/install.sh"
[ "$(id -u)" = 0 ] || fail 'debootstrap needs root'
install_packages debootstrap lintian
package=gstreamer1.0-openairealtime
models=${XDG_CACHE_HOME:-$HOME/.cache}/gst-openairealtime

say '== Building'
install_models
deb=$("$project/crates/man-pages/debian/build.sh" | tail -n 1)
[ -f "$deb" ] || fail "build.sh names no package: $deb"

say '== lintian'
lintian --fail-on error "$deb"

base=$CARGO_TARGET_DIR/bookworm
[ -e "$base/etc/debian_version" ] || { say '== A clean Debian 12'; debootstrap --variant=minbase bookworm "$base" >/dev/null; }
root=$(mktemp -d --tmpdir="$CARGO_TARGET_DIR" deb-root.XXXXXX)
trap 'rm -rf "$root"' EXIT
cp -a "$base/." "$root"
cp /etc/resolv.conf "$root/etc/"
inside() { chroot "$root" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 DEBIAN_FRONTEND=noninteractive "$@"; }
# What is there of the project, by name and by content of the package's own folders.
traces() { find "$root" -xdev \( -iname '*openairealtime*' -o -name 'realtime-*' -o -name 'voice-chat*' \) -not -path "$root/root/*"; }

say '== Installing'
cp "$deb" "$root/root/package.deb"
inside apt-get update -qq
inside apt-get install -y -qq --no-install-recommends /root/package.deb gstreamer1.0-tools gstreamer1.0-plugins-base \
    gstreamer1.0-plugins-good >/dev/null
[ -n "$(traces)" ] || fail 'nothing is installed'

say '== Trying'
inside gst-inspect-1.0 openairealtime >/dev/null
inside gst-inspect-1.0 openaichat >/dev/null
for program in realtime-server realtime-trace recording-worker voice-chat; do
    inside "$program" --version
    [ -e "$root/usr/share/man/man1/$program.1.gz" ] || fail "$program has no manual page"
done
mkdir -p "$root/root/.cache"
cp -aL "$models" "$root/root/.cache/"
cp "$project/tests/media/jfk.wav" "$root/root/question.wav"
# The server ends with the shell that started it.
inside bash -ec '
    cd /root
    mkfifo server-says
    realtime-server --listen 127.0.0.1:0 >server-says &
    trap "kill $!" EXIT
    read -r line <server-says
    export OPENAI_BASE_URL=http:${line#*ws:}
    OPENAI_BASE_URL=${OPENAI_BASE_URL%/realtime}
    gst-launch-1.0 -m filesrc location=question.wav ! decodebin ! audioconvert ! audioresample \
        ! openairealtime name=ai ! wavenc ! filesink location=reply.wav ai.event_src ! filesink location=trace.jsonl \
        | realtime-trace tail
    realtime-trace check trace.jsonl
    realtime-trace show trace.jsonl
' >"$root/root/said"
cat "$root/root/said" >&2
grep -q 'You:.*country' "$root/root/said" || fail 'nobody wrote down what was said'
grep -q 'Model:' "$root/root/said" || fail 'the model said nothing'
[ "$(stat -c %s "$root/root/reply.wav")" -gt 48044 ] || fail 'the answer is shorter than a second'
[ -s "$root/root/trace.html" ] || fail 'realtime-trace has made no page'

say '== Purging'
inside apt-get purge -y -qq "$package" >/dev/null
left=$(traces)
[ -z "$left" ] || fail "left behind: $left"
! inside dpkg-query -W "$package" 2>/dev/null || fail 'dpkg still knows the package'
say "$(basename "$deb"): installed, tried and purged"
