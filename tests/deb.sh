#!/usr/bin/env bash
# SPDX-License-Identifier: MPL-2.0
# Builds the Debian package, and installs, tries and purges it in a clean Debian (needs root, debootstrap and lintian).
# The local server's models are lent to it: they are not in the package.
#
#   tests/deb.sh [SUITE...]         default: bookworm; trixie has GStreamer 1.26. PROFILE=dev for a quicker build
set -euo pipefail
. "$(dirname "$0")/../pipelines/support/install.sh"
[ "$(id -u)" = 0 ] || fail 'debootstrap needs root'
install_packages debootstrap lintian
package=gstreamer1.0-openairealtime
models=${XDG_CACHE_HOME:-$HOME/.cache}/gst-openairealtime
root=

clean_up() {
    if [ -n "$root" ]; then
        ! mountpoint -q "$root/proc" || umount "$root/proc"
        rm -rf --one-file-system "$root"
    fi
    root=
}
trap clean_up EXIT

inside() { chroot "$root" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 DEBIAN_FRONTEND=noninteractive "$@"; }

# Files of the project in the root, by their names.
traces() { find "$root" -xdev \( -iname '*openairealtime*' -o -name 'realtime-*' -o -name 'recording-worker*' -o -name 'voice-chat*' \) -not -path "$root/root/*"; }
# All files, but for those that every installation and removal changes.
files() { (cd "$root" && find . -xdev -not -path './proc*' -not -path './root*' -not -path './var/*' -not -path './etc/ld.so.cache' | sort); }

make_root() {
    local suite=$1 base=$CARGO_TARGET_DIR/$1
    [ -e "$base/etc/debian_version" ] || {
        say "== A clean Debian: $suite"
        debootstrap --variant=minbase "$suite" "$base.new" >/dev/null
        mv "$base.new" "$base"
    }
    root=$(mktemp -d --tmpdir="$CARGO_TARGET_DIR" deb-root.XXXXXX)
    cp -a "$base/." "$root"
    cp /etc/resolv.conf "$root/etc/"
    mount -t proc proc "$root/proc"
    inside apt-get update -qq
    # What the scripts need (pip for models), and no part of what is tried.
    inside apt-get install -y -qq --no-install-recommends gstreamer1.0-tools gstreamer1.0-plugins-base gstreamer1.0-plugins-good \
        gstreamer1.0-plugins-bad gstreamer1.0-nice python3-pip >/dev/null 2>&1
}

try_programs() {
    say '== Trying'
    inside gst-inspect-1.0 --version | sed -n 's/^GStreamer /   GStreamer /p' >&2
    inside gst-inspect-1.0 openairealtime >/dev/null
    inside gst-inspect-1.0 openaichat >/dev/null
    for program in realtime-server realtime-trace recording-worker voice-chat; do
        inside "$program" --version
        [ -e "$root/usr/share/man/man1/$program.1.gz" ] || fail "$program has no manual page"
    done
}

# The README's pipeline, against the local server, with a trace.
try_pipeline() {
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
        gst-launch-1.0 -e -m filesrc location=question.wav ! decodebin ! audioconvert ! audioresample \
            ! openairealtime name=ai ! wavenc ! filesink location=answer.wav ai.event_src ! filesink location=trace.jsonl \
            | realtime-trace tail
        realtime-trace check trace.jsonl
        realtime-trace show trace.jsonl
        recording-worker question.wav file:///root/written
    ' >"$root/root/said"
    is_answered answer.wav
    [ -s "$root/root/trace.html" ] || fail 'realtime-trace has made no page'
    [ -n "$(find "$root/root/written" -name '*.srt')" ] || fail 'recording-worker has written no subtitles'
}

# The scripts of the package need neither its source nor a tool chain.
try_demo() {
    inside "/usr/share/doc/$package/examples/pipelines/demo.sh" /root/question.wav /root/reply.wav >"$root/root/said"
    is_answered reply.wav
}

is_answered() {
    sed 's/^/   /' "$root/root/said" >&2
    grep -q 'You:.*country' "$root/root/said" || fail 'nobody wrote down what was said'
    grep -q 'Model:' "$root/root/said" || fail 'the model said nothing'
    [ "$(stat -c %s "$root/root/$1")" -gt 48044 ] || fail 'the answer is shorter than a second'
}

try_in() {
    local before after left
    make_root "$1"
    before=$(files)
    say "== Installing in $1"
    cp "$deb" "$root/root/package.deb"
    inside apt-get install -y -qq --no-install-recommends /root/package.deb >/dev/null 2>&1 || fail 'it cannot be installed'
    [ -n "$(traces)" ] || fail 'nothing is installed'
    try_programs
    try_pipeline
    try_demo
    say '== Purging'
    inside apt-get purge -y -qq --autoremove "$package" >/dev/null 2>&1
    left=$(traces)
    [ -z "$left" ] || fail "left behind: $left"
    ! inside dpkg-query -W "$package" 2>/dev/null || fail 'dpkg still knows the package'
    after=$(files)
    left=$(comm -13 <(printf '%s\n' "$before") <(printf '%s\n' "$after"))
    [ -z "$left" ] || fail "there were no such files before: $left"
    clean_up
    say "$(basename "$deb"): installed, tried and purged in $1"
}

say '== Building'
install_models
deb=$("$project/crates/man-pages/debian/build.sh" | tail -n 1)
[ -f "$deb" ] || fail "build.sh names no package: $deb"

say '== lintian'
lintian --fail-on error "$deb"

for suite in "${@:-bookworm}"; do
    try_in "$suite"
done
