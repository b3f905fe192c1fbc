#!/usr/bin/env bash
# SPDX-License-Identifier: MPL-2.0
# Unplugs the network for 20 s in the middle of an answer, live and offline: the server runs in a network namespace of its
# own, and the cable between it and the pipeline is a veth pair that is set down. The conversation goes on with the next
# session, nothing is said twice, and every answer is told once. Needs root and ip(8); takes a minute and a half.
#
#   tests/network_cable.sh
set -euo pipefail
. "$(dirname "$0")/../pipelines/support/install.sh"
cd "$project"

namespace="openairt-$$"
link="ort$((RANDOM % 10000))"
work="$(mktemp -d)"
server=
pipeline=
cleanup() {
    for pid in $pipeline $server; do kill "$pid" 2>/dev/null || true; done
    ip netns delete "$namespace" 2>/dev/null || true
    ip link delete "${link}a" 2>/dev/null || true
    rm -rf "$work"
}
trap cleanup EXIT

if ! ip netns add "$namespace" 2>"$work/why" || ! ip link add "${link}a" type veth peer name "${link}b" 2>>"$work/why"; then
    say "skipped: no network namespace can be made here: $(tr '\n' ' ' <"$work/why")"
    exit 0
fi
ip link set "${link}b" netns "$namespace"
ip address add 10.203.0.1/30 dev "${link}a"
ip link set "${link}a" up
ip -n "$namespace" address add 10.203.0.2/30 dev "${link}b"
ip -n "$namespace" link set "${link}b" up
ip -n "$namespace" link set lo up

cargo build --quiet --workspace
# The server takes any key; another machine is not asked without one.
export OPENAI_API_KEY=any
export GST_PLUGIN_PATH="$CARGO_TARGET_DIR/debug" GST_REGISTRY="$work/registry"

# Half of an answer comes on the first connection, the whole on the second one.
cat >"$work/script" <<'SCRIPT'
hello
expect session.update
send session.updated {"session": {"type": "realtime"}}
await response.create within 60s
send response.created {"response": {"id": "half", "conversation_id": "c"}}
send response.output_audio.delta {"response_id": "half", "item_id": "half", "output_index": 0, "content_index": 0, "delta": "<tone:440:500>"}
wait 90s
connection *
hello
expect session.update
send session.updated {"session": {"type": "realtime"}}
await response.create within 60s
respond "Here I am again." <tone:440:500>
ignore session.update conversation.item.create
expect close within 90s
SCRIPT

wait_for() { # FILE PATTERN SECONDS
    local left=$(($3 * 10))
    until grep -q "$2" "$1" 2>/dev/null; do
        left=$((left - 1))
        [ "$left" -gt 0 ] || { cat "$1" >&2; fail "'$2' never came"; }
        sleep 0.1
    done
}

for timing in live offline; do
    say "== $timing: the cable is out for 20 s"
    ip netns exec "$namespace" "$CARGO_TARGET_DIR/debug/realtime-server" --engine script "$work/script" \
        --listen 10.203.0.2:8099 >"$work/server" 2>&1 &
    server=$!
    wait_for "$work/server" 10.203.0.2:8099 20
    # Live, what was heard of the half is not asked again, so a second question is; offline the first one is.
    { printf 'How are you?\n'; [ "$timing" = offline ] || { wait_for "$work/said" 'resumed=(boolean)true' 90; printf 'Are you there?\n'; }; } |
        gst-launch-1.0 -m fdsrc ! 'text/x-raw,format=utf8' ! ai.text_sink openairealtime name=ai timing="$timing" \
            uri=ws://10.203.0.2:8099/v1 allow-insecure=true transcription-model= max-reconnects=20 ! fakesink \
            >"$work/said" 2>&1 &
    pipeline=$!
    wait_for "$work/said" 'openairealtime/response, state=(string)created' 20
    # At the server's end: here the route would go, and another network might answer instead.
    ip -n "$namespace" link set "${link}b" down
    sleep 20
    ip -n "$namespace" link set "${link}b" up
    wait "$pipeline" || { tail -n 40 "$work/said" >&2; fail "$timing: the pipeline failed"; }
    pipeline=
    answers=$(grep -c 'transcript.*role=(string)assistant.*text=(string)"Here.*final=(boolean)true' "$work/said" || true)
    completed=$(grep -c 'openairealtime/response, state=(string)completed' "$work/said" || true)
    incomplete=$(grep -c 'openairealtime/response, state=(string)incomplete' "$work/said" || true)
    kill "$server"
    wait "$server" || { cat "$work/server" >&2; fail "$timing: the client did not do as the script says"; }
    server=
    say "$timing: $completed answer, $incomplete cut"
    [ "$answers" = 1 ] && [ "$completed" = 1 ] && [ "$incomplete" = 1 ] || fail "$timing: told $answers times"
done
say "the conversation goes on, and nothing is said twice"
