#!/usr/bin/env bash
# SPDX-License-Identifier: MPL-2.0
# Runs every script in pipelines/ against the local server, as a user would, and looks at what it says and writes.
# Where a script wants a microphone, a recording takes its place; where it wants a loudspeaker, a file does.
set -euo pipefail
. "$(dirname "$0")/../pipelines/support/install.sh"
cd "$project"
unset OPENAI_API_KEY OPENAI_BASE_URL AZURE_OPENAI_ENDPOINT
export G_DEBUG=fatal-warnings GST_DEBUG=2 GST_DEBUG_NO_COLOR=1

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
jfk=$project/tests/media/jfk.wav
ran=()

# run SECONDS SCRIPT ARGUMENT...: its words in $work/said, its complaints in $work/complaints.
run() {
    local limit=$1 script=$2
    shift 2
    ran+=("$script")
    say "-- $script $*"
    timeout --kill-after=10 "$limit" "pipelines/$script" "$@" >"$work/said" 2>"$work/complaints" || {
        local code=$?
        sed 's/^/   /' "$work/said" "$work/complaints" >&2
        fail "$script ended with $code"
    }
    sed 's/^/   /' "$work/said" >&2
    # GStreamer's own elements grumble about harmless things; ours must not, and nothing may fail.
    ! grep -E '(WARN|ERROR) +open(airealtime|aichat)|CRITICAL|^ERROR|^WARNING' "$work/complaints" || fail "$script warns"
}

said() { grep -iqE "$1" "$work/said" || fail "nobody said: $1"; }
# Raw samples that are not all silence.
sounds_raw() {
    python3 - "$1" <<'PY' || fail "$1 is not the sound of an answer"
import array, sys
samples = array.array("h", open(sys.argv[1], "rb").read())
sys.exit(sum(abs(sample) > 500 for sample in samples) < 2400)
PY
}
sounds() {
    # A wav file of at least a second that is not all silence.
    python3 - "$1" <<'PY' || fail "$1 is not the sound of an answer"
import array, sys, wave
with wave.open(sys.argv[1]) as wav:
    samples = array.array("h", wav.readframes(wav.getnframes()))
    loud = sum(abs(sample) > 500 for sample in samples)
    sys.exit(not (wav.getframerate() == 24000 and wav.getnframes() > 24000 and loud > 2400))
PY
}

run 900 demo.sh "$jfk" "$work/reply.wav"
said 'You:.*my fellow'
said 'Model:.*offline voice'
sounds "$work/reply.wav"

run 60 file-to-file.sh "$project/tests/media/lv0880.wav" "$work/answer.wav"
said 'You:.*young man'
said 'Model:'
sounds "$work/answer.wav"

run 60 transcribe.sh "$jfk"
said 'You:.*country'
! grep -q 'Model:' "$work/said" || fail 'transcribe.sh answered'

run 60 typed.sh <<<'What is two plus three?'
said 'is (5|five)'

run 60 tools.sh <<<'How many processors does this computer have?'
said "Model:.*$(nproc)"

# Films of a speaker, as phones (mp4), recorders (mkv) and browsers (webm) make them.
film() {
    gst-launch-1.0 -q "$1" name=film ! filesink location="$work/film.$2" \
        filesrc location="$jfk" ! wavparse ! audioconvert ! audioresample ! "$3" ! queue ! film. \
        videotestsrc num-buffers=110 ! video/x-raw,width=160,height=120,framerate=10/1 ! "${@:4}" ! queue ! film.
}
film mp4mux mp4 voaacenc openh264enc ! h264parse 2>/dev/null
film matroskamux mkv flacenc jpegenc
film webmmux webm opusenc vp8enc deadline=1

# subtitles FILE FIRST LAST WORDS: the file's times begin before FIRST and end behind LAST, and it has the words.
subtitles() {
    python3 - "$@" <<'PY' || { cat "$1" >&2; fail "$1 has not the subtitles that it should"; }
import re, sys
text = open(sys.argv[1]).read()
clock = lambda hours, minutes, seconds: int(hours or 0) * 3600 + int(minutes) * 60 + float(seconds.replace(',', '.'))
times = [clock(*found) for found in re.findall(r'(?:(\d+):)?(\d\d):(\d\d[.,]\d{3})', text)]
begins, ends = times[::2], times[1::2]
sys.exit(not (begins[0] < float(sys.argv[2]) and float(sys.argv[3]) < ends[-1]
    and begins == sorted(begins) and all(begin < end for begin, end in zip(begins, ends))
    and re.search(sys.argv[4], text, re.I)))
PY
}
# Somebody speaks in the recording from 0.3 s to 10.4 s.
run 60 transcribe.sh "$jfk" "$work/said.srt"
said 'You:.*country'
subtitles "$work/said.srt" 0.5 10 country
head -n 1 "$work/said.srt" | grep -qx 1 || fail 'srt begins with a number'
run 60 transcribe.sh "$work/film.mp4" "$work/said.vtt"
subtitles "$work/said.vtt" 0.5 10 country
head -n 1 "$work/said.vtt" | grep -q WEBVTT || fail 'vtt begins with its name'
! pipelines/transcribe.sh "$jfk" "$work/said.txt" 2>/dev/null || fail 'transcribe.sh writes no txt'

# pictures FILE: the hash of each.
pictures() {
    gst-launch-1.0 filesrc location="$1" ! parsebin name=film film. ! "$2" ! checksumsink | sed -n 's/^[0-9:.]* \([0-9a-f]*\)$/\1/p'
}
for film in mp4:video/x-h264 mkv:image/jpeg webm:video/x-vp8; do
    before=$work/film.${film%%:*} after=$work/${film%%:*}.mkv
    run 90 video-to-video.sh "$before" "$after"
    said 'You:.*country'
    said 'Model:.*heard you say'
    said 'Model:.*heard that too'
    pictures "$before" "${film#*:}" >"$work/before"
    pictures "$after" "${film#*:}" >"$work/after"
    [ "$(wc -l <"$work/after")" = 110 ] || fail "$after has not all pictures"
    # A parser may write what stands before the first pictures in another way.
    same=$(comm -12 <(sort "$work/before") <(sort "$work/after") | wc -l)
    [ "$same" -ge 100 ] || fail "$after has other pictures: only $same of 110 are the same"
    gst-launch-1.0 -q filesrc location="$after" ! matroskademux name=film \
        film.audio_0 ! queue ! decodebin ! audioconvert ! audioresample ! audio/x-raw,format=S16LE,channels=1,rate=24000 \
        ! wavenc ! filesink location="$work/sound.wav" \
        film.audio_1 ! queue ! decodebin ! audioconvert ! audioresample ! audio/x-raw,format=S16LE,channels=1,rate=24000 \
        ! wavenc ! filesink location="$work/voice.wav" \
        film.subtitle_0 ! queue ! srtenc ! filesink location="$work/user.srt" \
        film.subtitle_1 ! queue ! srtenc ! filesink location="$work/model.srt"
    sounds "$work/sound.wav"
    sounds "$work/voice.wav"
    subtitles "$work/user.srt" 0.5 10 country
    subtitles "$work/model.srt" 12 12 'heard you say'
done

mkdir "$work/folder"
for name in one two 'number three'; do cp "$project/tests/media/goforward.wav" "$work/folder/$name.wav"; done
run 60 batch.sh 2 "$work/folder" "$work/made"
[ "$(grep -c '^made ' "$work/said")" = 3 ] || fail 'batch.sh tells a line of each file'
subtitles "$work/made/number three.srt" 1 1 forward
echo 'no sound' >"$work/folder/broken.wav"
rm "$work/made/two.srt"
code=0
pipelines/batch.sh 2 "$work/folder" "$work/made" >"$work/said" 2>/dev/null || code=$?
[ "$code" = 1 ] || fail "batch.sh ends with $code where one file fails"
[ "$(grep -c '^skipped ' "$work/said") $(grep -c '^made ' "$work/said") $(grep -c '^failed .*broken' "$work/said")" = '2 1 1' ] ||
    fail 'batch.sh does what is missing, and no more'
[ "$(ls -A "$work/made" | wc -l)" = 3 ] || fail 'batch.sh leaves something behind'

# A microphone keeps time and goes on after the question, so that the turn is heard to end.
microphone="filesrc location=$project/tests/media/goforward.wav ! wavparse ! audioconvert ! audioresample \
    ! identity sync=true"
SOURCE=$microphone SINK="audio/x-raw,format=S16LE,channels=1,rate=24000 ! filesink sync=true location=$work/spoken.raw" \
    run 90 microphone.sh
said 'You:.*forward'
said 'Model:'
sounds_raw "$work/spoken.raw"

SOURCE=$microphone SINK='fakesink sync=true' run 90 echo-cancelled.sh
said 'You:.*forward'
said 'Model:'

# A test picture takes the place of what cameras see.
camera='videotestsrc is-live=true pattern=ball num-buffers=300 ! video/x-raw,framerate=30/1'
SOURCE=$microphone CAMERA=$camera SINK='fakesink sync=true' run 90 camera.sh
said 'a picture of'
said 'You:.*forward'
said 'Model:'

SOURCE=$microphone SCREEN=$camera SINK='fakesink sync=true' run 90 screen.sh
said 'a picture of'
said 'Model:'

CAMERA=$camera SINK='fakesink sync=true' run 90 rtsp-camera.sh
said 'a picture of'
said 'Model:'

gst-launch-1.0 -q videotestsrc pattern=ball num-buffers=330 ! video/x-raw,framerate=30/1 ! jpegenc ! avimux \
    ! filesink location="$work/ball.avi"
run 60 describe-video.sh "$work/ball.avi"
[ "$(grep -c 'a picture of' "$work/said")" = 3 ] || fail 'describe-video.sh did not see three pictures'
[ "$(grep -c 'Model:' "$work/said")" = 3 ] || fail 'describe-video.sh did not describe three pictures'

mkdir "$work/album"
cp "$project/tests/media/flower.jpg" "$work/album/b.jpg"
cp "$project/tests/media/china.jpg" "$work/album/c c.jpeg"
gst-launch-1.0 -q videotestsrc num-buffers=1 pattern=red ! pngenc ! filesink location="$work/album/a.png"
run 60 describe-folder.sh "$work/album"
[ "$(python3 -c 'import json, sys
print(*[json.loads(line)["file"].rsplit("/")[-1] for line in sys.stdin], sep="|")' <"$work/said")" = 'a.png|b.jpg|c c.jpeg' ] ||
    fail 'describe-folder.sh tells a line of each picture, in order'
said 'a.png.*red'
said 'b.jpg.*daisy'

run 60 caption-video.sh "$work/ball.avi" "$work/captions.mkv" 3
[ "$(grep -c 'Model:' "$work/said")" = 4 ] || fail 'caption-video.sh makes a caption every three seconds'
subtitles "$work/captions.srt" 0.1 10.9 picture
subtitles "$work/captions.vtt" 0.1 10.9 picture
gst-launch-1.0 -q filesrc location="$work/captions.mkv" ! matroskademux name=film film.video_0 ! queue ! fakesink \
    film.subtitle_0 ! queue ! srtenc ! filesink location="$work/track.srt"
subtitles "$work/track.srt" 0.1 10.9 picture

run 60 ask-file.sh "$jfk" 'What can you do for your country?' "$work/answer.wav"
said 'Model:'
sounds "$work/answer.wav"

# The other end of the line: speaks the question, and records what comes back.
phone_call() {
    local caller listener
    gst-launch-1.0 -q -e udpsrc port=5106 timeout=0 \
        caps='application/x-rtp,media=audio,clock-rate=8000,encoding-name=PCMU,payload=0' \
        ! rtppcmudepay ! mulawdec ! wavenc ! filesink location="$work/line.wav" &
    listener=$!
    IN=5104 OUT=5106 setsid pipelines/rtp-phone.sh >"$work/said" 2>"$work/complaints" &
    caller=$!
    ran+=(rtp-phone.sh)
    say '-- rtp-phone.sh'
    until grep -q 'session ready' "$work/said"; do
        kill -0 "$caller" 2>/dev/null || { cat "$work/complaints" >&2; fail 'rtp-phone.sh ended early'; }
        sleep 0.2
    done
    gst-launch-1.0 -q concat name=call ! audioconvert ! audioresample ! mulawenc ! rtppcmupay ! udpsink host=127.0.0.1 port=5104 \
        filesrc location="$project/tests/media/goforward.wav" ! wavparse ! audioconvert ! audioresample ! audio/x-raw,rate=8000,channels=1 ! call. \
        audiotestsrc wave=silence num-buffers=100 samplesperbuffer=800 ! audio/x-raw,rate=8000,channels=1 ! call.
    kill -INT -- "-$caller"
    wait "$caller" || { cat "$work/complaints" >&2; fail 'rtp-phone.sh did not end well'; }
    kill -INT "$listener"
    wait "$listener" || fail 'the listener did not end well'
    sed 's/^/   /' "$work/said" >&2
}
phone_call
said 'You:.*forward'
said 'Model:'

# A page for browsers: it is served, and Ctrl-C ends it.
page() {
    local chat address
    setsid pipelines/voice-chat.sh --listen 127.0.0.1:0 >"$work/said" 2>"$work/complaints" &
    chat=$!
    ran+=(voice-chat.sh)
    say '-- voice-chat.sh'
    until address=$(sed -n 's/^listening on //p' "$work/said") && [ -n "$address" ]; do
        kill -0 "$chat" 2>/dev/null || { cat "$work/complaints" >&2; fail 'voice-chat.sh ended early'; }
        sleep 0.2
    done
    python3 -c 'import sys, urllib.request as r; assert b"<title>Voice chat" in r.urlopen(sys.argv[1]).read()' "$address" ||
        fail 'voice-chat.sh does not serve its page'
    kill -INT -- "-$chat"
    wait "$chat" || { cat "$work/complaints" >&2; fail 'voice-chat.sh did not end well'; }
}
page

# The engine that says back what it hears is an interpreter whose translation can be told.
export SERVER_OPTIONS='--engine echo'
SOURCE=$microphone SINK="audio/x-raw,format=S16LE,channels=1,rate=24000 ! filesink sync=true location=$work/interpreted.raw" \
    run 90 translate.sh es
said 'You:.*bytes'
said 'Model:.*bytes'
sounds_raw "$work/interpreted.raw"

run 90 dub.sh "$work/film.mkv" "$work/dubbed.mkv" es
said 'Model:.*bytes'
gst-launch-1.0 -q filesrc location="$work/dubbed.mkv" ! matroskademux name=film \
    film.audio_1 ! queue ! decodebin ! audioconvert ! audioresample ! audio/x-raw,format=S16LE,channels=1,rate=24000 \
    ! wavenc ! filesink location="$work/voice.wav" \
    film.subtitle_0 ! queue ! srtenc ! filesink location="$work/original.srt" \
    film.subtitle_1 ! queue ! srtenc ! filesink location="$work/translation.srt"
sounds "$work/voice.wav"
subtitles "$work/original.srt" 0.5 10 bytes
subtitles "$work/translation.srt" 0.5 10 bytes

SOURCE=$microphone CAMERA=$camera DELAY=2 SINK='fakesink sync=true' VIDEO_SINK='fakesink sync=true' run 90 captions-live.sh es
said 'Model:.*bytes'
unset SERVER_OPTIONS

for script in pipelines/*.sh; do
    case " ${ran[*]} " in
    *" $(basename "$script") "*) ;;
    *) fail "$script is not run by this test" ;;
    esac
done
say "All ${#ran[@]} pipelines run."
