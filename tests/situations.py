#!/usr/bin/env python3
# SPDX-License-Identifier: MPL-2.0
"""Runs the pipelines of `pipelines/` and of the README in the situations that users bring them into.

    tests/situations.py                  all
    tests/situations.py WORD...          those with one of the words in their name
    tests/situations.py --list           their names

Situations of live pipelines: speech over an answer (barge-in), input that pauses for 10 s, input that comes in bursts of a
second, Ctrl-C in the middle of an answer, and four at once. Scripts that work through files or lines are ended by Ctrl-C in
the middle, alone and four at once, and what they leave behind has to be whole. All talk to one local server, interpreters to
another whose engine is `echo`, with the latency tracer on and warnings of GLib fatal. The microphone is a UDP socket that raw
samples arrive at, the loudspeaker a file written at the speed of sound.
`CARGO_TARGET_DIR` and `PROFILE` (`release`, `dev`) name the build, as for the pipelines.
"""

import contextlib
import os
import pathlib
import re
import shlex
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import wave

PROJECT = pathlib.Path(__file__).resolve().parent.parent
MEDIA = PROJECT / 'tests' / 'media'
BUILD = pathlib.Path(os.environ.get('CARGO_TARGET_DIR', PROJECT / 'target')) / (
    'debug' if os.environ.get('PROFILE') == 'dev' else 'release'
)
PIECE = 0.02
PATIENCE = 90
# demo.sh builds what is not built.
BUILD_TIME = 1200
# That packets arrive unevenly, or not at all, and that a file is not flushed, is told as it should be.
COMPLAINT = re.compile(r'^(?!.*(?:the input|src is not flushed))(?:.*(?:WARN|ERROR) +open(?:airealtime|aichat)|.*CRITICAL|ERROR|WARNING|.*panicked).*', re.M)


class Failure(Exception):
    """What is not as it should be."""


def launch(line):
    """Runs a pipeline that makes an input, or that reads an output to its end."""
    try:
        done = subprocess.run(['gst-launch-1.0', '-q', *shlex.split(line)], capture_output=True, text=True,
                              env={**os.environ, 'GST_TRACERS': '', 'GST_DEBUG': ''}, timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        raise Failure(f'{line}: does not end') from None
    if done.returncode or 'ERROR' in done.stderr:
        raise Failure(f'{line}: {done.stderr[-300:]}')


def converted(name, encoder, kind, folder):
    """A recording as raw bytes of another form."""
    made = folder / f'{name}.{kind}'
    if not made.exists():
        part = folder / f'{name}.{kind}.{threading.get_ident()}'
        launch(f'filesrc location={MEDIA / name}.wav ! wavparse ! audioconvert ! audioresample ! {encoder} '
               f'! filesink location={part}')
        part.rename(made)
    return made.read_bytes()


def free_port():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(('127.0.0.1', 0))
        return probe.getsockname()[1]


class Microphone:
    """Sends samples of 16 kHz at the speed of sound: silence, until it is given something to say."""

    caps = 'audio/x-raw,format=S16LE,rate=16000,channels=1,layout=interleaved'

    def __init__(self, folder, burst=PIECE):
        self.folder, self.burst, self.port = folder, burst, free_port()
        self.queue, self.lock, self.is_open, self.is_muted = b'', threading.Lock(), True, False
        self.thread = threading.Thread(target=self.send)
        self.thread.start()

    @property
    def source(self):
        return f'udpsrc port={self.port} buffer-size=2000000 caps={self.caps}'

    def pieces(self):
        """What is due, a piece of 20 ms each."""
        size = int(16000 * PIECE) * 2
        for _ in range(round(self.burst / PIECE)):
            with self.lock:
                piece, self.queue = self.queue[:size], self.queue[size:]
            yield piece.ljust(size, b'\0')

    def send(self):
        begin, sent = time.monotonic(), 0.0
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
            while self.is_open:
                time.sleep(max(0.0, begin + sent + self.burst - time.monotonic()))
                sent += self.burst
                if not self.is_muted:
                    for piece in self.pieces():
                        out.sendto(piece, ('127.0.0.1', self.port))

    def say(self, name):
        samples = converted(name, self.caps, 'raw', self.folder)
        with self.lock:
            self.queue += samples

    def until_said(self):
        until(lambda: not self.queue, 'the microphone has spoken')

    def close(self):
        self.is_open = False
        self.thread.join()


class Telephone(Microphone):
    """The other end of a line: G.711 in RTP packets."""

    def __init__(self, folder, burst=PIECE):
        self.sequence = 0
        super().__init__(folder, burst)

    def pieces(self):
        for _ in range(round(self.burst / PIECE)):
            with self.lock:
                piece, self.queue = self.queue[:160], self.queue[160:]
            self.sequence += 1
            header = struct.pack('>BBHII', 0x80, 0, self.sequence & 0xFFFF, self.sequence * 160, 7)
            yield header + piece.ljust(160, b'\xff')

    def say(self, name):
        samples = converted(name, 'audio/x-raw,rate=8000,channels=1 ! mulawenc', 'mulaw', self.folder)
        with self.lock:
            self.queue += samples


def until(is_true, what, limit=PATIENCE):
    end = time.monotonic() + limit
    while not is_true():
        if time.monotonic() > end:
            raise Failure(f'not within {limit} s: {what}')
        time.sleep(0.02)


class Program:
    """A pipeline that runs, in a process group of its own as a shell gives it, and what it has said so far."""

    def __init__(self, command, env, folder, stdin=subprocess.DEVNULL):
        self.command, self.folder = command, folder
        self.said_file, self.complaints_file = folder / 'said', folder / 'complaints'
        with open(self.said_file, 'wb') as said, open(self.complaints_file, 'wb') as complaints:
            self.process = subprocess.Popen(
                command, stdin=stdin, stdout=said, stderr=complaints, start_new_session=True,
                cwd=PROJECT, env={**os.environ, **env}, shell=isinstance(command, str), executable='/bin/bash'
                if isinstance(command, str) else None)

    def type(self, text):
        self.process.stdin.write(text.encode())
        self.process.stdin.flush()

    @property
    def said(self):
        return self.said_file.read_text(errors='replace')

    def until_said(self, pattern, times=1):
        def is_said():
            if len(re.findall(pattern, self.said, re.I)) >= times:
                return True
            if self.process.poll() is not None:
                raise Failure(f'ended with {self.process.returncode} before it said {pattern!r}')
            return False
        until(is_said, f'it says {pattern!r} {times} time(s)')

    def interrupt(self):
        """Ctrl-C reaches all processes of the group. Who was faster has nothing to interrupt, and is only looked at."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGINT)

    def until_end(self, allowed=(0,)):
        try:
            code = self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            raise Failure('does not end') from None
        if code not in allowed:
            raise Failure(f'ended with {code}')
        complaint = COMPLAINT.search(self.complaints_file.read_text(errors='replace'))
        if complaint:
            raise Failure(f'complains: {complaint.group()}')

    def kill(self):
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()

    def report(self):
        text = self.said + self.complaints_file.read_text(errors='replace')
        return '\n'.join('   ' + line[:300] for line in text.splitlines()[-25:])


@contextlib.contextmanager
def running(program):
    """Ends a program in any case; a failure tells what it has said."""
    try:
        yield
    except Failure as failure:
        raise Failure(f'{failure}\n{program.report()}') from None
    finally:
        program.kill()


def loud_samples(path, begin=0):
    """How many samples of a file of S16LE are more than a whisper, behind so many bytes."""
    data = path.read_bytes()[begin:] if path.exists() else b''
    return sum(abs(sample) > 500 for (sample,) in struct.iter_unpack('<h', data[: len(data) // 2 * 2]))


def until_sounding(program, path):
    begin = path.stat().st_size if path.exists() else 0

    def is_sounding():
        if program.process.poll() is not None:
            raise Failure(f'ended with {program.process.returncode} before an answer sounded')
        return loud_samples(path, begin) > 2400
    until(is_sounding, 'an answer sounds')


# The live pipelines: how they are started with this microphone, and where their answers go.
RAW = 'audio/x-raw,format=S16LE,channels=1,rate=24000 ! filesink sync=true buffer-mode=unbuffered location={sink}'
CAMERA = 'videotestsrc is-live=true pattern=ball ! video/x-raw,framerate=30/1'


def script(name, *arguments, **more):
    def start(microphone, folder):
        sink = folder / 'spoken.raw'
        env = {'SOURCE': microphone.source, 'SINK': RAW.format(sink=sink), **more}
        return Program([PROJECT / 'pipelines' / name, *arguments], env, folder), sink
    return start


def interpreter(name, **more):
    """A script that talks to the server with the engine that says back what it hears, which needs no language model."""
    def start(microphone, folder):
        return script(name, 'es', OPENAI_BASE_URL=os.environ['INTERPRETER_URL'], **more)(microphone, folder)
    return start


def readme(words):
    """The line of the README with these words, with the microphone, camera and loudspeaker replaced."""
    text = (PROJECT / 'README.md').read_text()
    lines = [block.replace('\\\n', ' ') for block in re.findall(r'(?:^    gst-launch.*\n(?:^        .*\n)*)', text, re.M)]
    found = [' '.join(line.split()) for line in lines if words in line]
    if len(found) != 1:
        raise Failure(f'the README has {len(found)} lines with {words!r}')

    def start(microphone, folder):
        sink = folder / 'spoken.raw'
        line = found[0].replace('autoaudiosrc', microphone.source).replace('autovideosrc', CAMERA)
        line = line.replace('autoaudiosink', RAW.format(sink=sink)).replace('talk.mkv', str(folder / 'talk.mkv'))
        line = line.replace('gst-launch-1.0 ', 'gst-launch-1.0 -m -e ', 1)
        command = f'set -o pipefail; {line} | realtime-trace tail'
        return Program(command, {}, folder), sink
    return start


def telephone(microphone, folder):
    sink = folder / 'line.wav'
    out = free_port()
    # The listener ends with the telephone, which is its parent's other child.
    listener = (f'gst-launch-1.0 -q udpsrc port={out} caps="application/x-rtp,media=audio,clock-rate=8000,'
                f'encoding-name=PCMU,payload=0" ! rtppcmudepay ! mulawdec ! filesink buffer-mode=unbuffered location={sink}')
    command = f'{listener} & pipelines/rtp-phone.sh; code=$?; kill %1; exit $code'
    return Program(command, {'IN': str(microphone.port), 'OUT': str(out)}, folder), sink


LIVE = {
    'microphone': script('microphone.sh'),
    'echo-cancelled': script('echo-cancelled.sh'),
    'camera': script('camera.sh', CAMERA=CAMERA),
    'screen': script('screen.sh', SCREEN=CAMERA),
    'rtp-phone': telephone,
    'readme-conversation': readme('gst-launch-1.0 autoaudiosrc ! audioconvert ! audioresample ! openairealtime'),
    'readme-recording': readme('talk.mkv'),
    'readme-camera': readme('frame-policy=turn'),
}

INTERPRETERS = {
    'translate': interpreter('translate.sh'),
    'captions-live': interpreter('captions-live.sh', CAMERA=CAMERA, DELAY='2', VIDEO_SINK='fakesink sync=true'),
}


def live(name, situation, burst=PIECE):
    def run(folder):
        kind = Telephone if name == 'rtp-phone' else Microphone
        microphone = kind(folder, burst)
        program = None
        try:
            program, sink = (LIVE | INTERPRETERS)[name](microphone, folder)
            program.until_said('session ready')
            situation(microphone, program, sink)
            program.until_end((0, 130, -signal.SIGINT))
            check_recording(folder / 'talk.mkv')
        except Failure as failure:
            raise Failure(f'{failure}\n{program.report() if program else ""}') from None
        finally:
            microphone.close()
            if program:
                program.kill()
    return run


def check_recording(path):
    """A file that was ended well can be read to its end."""
    if path.exists():
        launch(f'filesrc location={path} ! matroskademux ! opusdec ! fakesink')


def ctrl_c(microphone, program, sink):
    microphone.say('goforward')
    program.until_said('You:.*forward')
    until_sounding(program, sink)
    program.interrupt()


def barge_in(microphone, program, sink):
    microphone.say('jfk')
    until_sounding(program, sink)
    microphone.say('goforward')
    program.until_said(r'interrupted after')
    program.until_said('You:.*forward')
    program.until_said('Model:', 2)
    program.interrupt()


def pause(microphone, program, sink):
    microphone.say('goforward')
    microphone.until_said()
    microphone.is_muted = True
    until_sounding(program, sink)
    time.sleep(10)
    microphone.is_muted = False
    program.until_said('You:.*forward')
    microphone.say('goforward')
    program.until_said('You:.*forward', 2)
    program.until_said('Model:', 2)
    program.interrupt()


def burst(microphone, program, sink):
    microphone.say('goforward')
    program.until_said('You:.*forward ten')
    until_sounding(program, sink)
    program.interrupt()


def interpreted_ctrl_c(microphone, program, sink):
    microphone.say('jfk')
    until_sounding(program, sink)
    program.interrupt()


def interpreted_pause(microphone, program, sink):
    microphone.say('goforward')
    program.until_said('Model:.*bytes', 5)
    microphone.until_said()
    microphone.is_muted = True
    time.sleep(10)
    microphone.is_muted = False
    microphone.say('goforward')
    until_sounding(program, sink)
    program.interrupt()


def at_once(run, count=4):
    def run_all(folder):
        failures = []

        def one(number):
            place = folder / str(number)
            place.mkdir()
            try:
                run(place)
            except Exception as failure:  # In a thread, what is not caught would be lost.
                failures.append(f'number {number}: {failure!r}')
        threads = [threading.Thread(target=one, args=(number,)) for number in range(count)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if failures:
            raise Failure('\n'.join(failures))
    return run_all


def long_recording(folder):
    """Thirty sentences with a pause behind each, so that there is a middle to interrupt."""
    path = folder / 'long.wav'
    samples = converted('goforward', Microphone.caps, 'raw', folder) + bytes(16000 * 2 * 2)
    with wave.open(str(path), 'wb') as out:
        out.setparams((1, 2, 16000, 0, 'NONE', ''))
        out.writeframes(samples * 30)
    return path


def film(folder):
    """Two minutes of a speaker."""
    path = folder / 'film.mkv'
    launch(f'matroskamux name=film ! filesink location={path} filesrc location={long_recording(folder)} ! wavparse ! audioconvert '
           '! flacenc ! queue ! film. videotestsrc pattern=ball num-buffers=1200 ! video/x-raw,width=160,height=120,framerate=10/1 '
           '! jpegenc ! queue ! film.')
    return path


def album(folder):
    """A folder with forty pictures."""
    path = folder / 'album'
    path.mkdir()
    for number in range(40):
        (path / f'{number:02}.jpg').write_bytes((MEDIA / 'flower.jpg').read_bytes())
    return path


def recordings(folder):
    """A folder with twelve recordings."""
    path = folder / 'recordings'
    path.mkdir()
    for number in range(12):
        (path / f'{number:02}.wav').write_bytes((MEDIA / 'goforward.wav').read_bytes())
    return path


def grows(name):
    def is_begun(program):
        path = program.folder / name
        return path.exists() and path.stat().st_size > 200
    return is_begun


def says(pattern):
    return lambda program: re.search(pattern, program.said, re.I)


def has_file(pattern):
    return lambda program: any(program.folder.glob(pattern))


def whole_sound(name):
    def check(program):
        with wave.open(str(program.folder / name)) as answer:
            if answer.getnframes() == 0 or answer.getframerate() != 24000:
                raise Failure(f'{name} has {answer.getnframes()} samples')
    return check


def whole_lines(*names):
    def check(program):
        for name in names:
            if not (program.folder / name).read_text().endswith('\n'):
                raise Failure(f'{name} ends in the middle of a line')
    return check


def whole_film(program):
    launch(f'filesrc location={program.folder / "made.mkv"} ! matroskademux name=film film.video_0 ! queue ! fakesink')


def whole_dub(program):
    whole_film(program)
    launch(f'filesrc location={program.folder / "made.mkv"} ! matroskademux name=film film.audio_1 ! queue ! opusdec ! fakesink')


def whole_captions(program):
    whole_lines('made.srt', 'made.vtt')(program)
    whole_film(program)


def whole_json(program):
    for line in program.said.splitlines():
        if not line.endswith('}'):
            raise Failure(f'this line is not whole: {line}')


def goes_on(program):
    """What is there is complete, and running it again does the rest and leaves nothing else."""
    made = program.folder / 'made'
    for path in made.glob('[!.]*.srt'):
        whole_lines(f'made/{path.name}')(program)
    again = Program(program.command, {}, program.folder)
    try:
        again.until_end()
        skipped, done = (len(re.findall(f'^{word} ', again.said, re.M)) for word in ('skipped', 'made'))
        names = sorted(path.name for path in made.iterdir())
        if (skipped < 1 or done < 1 or names != [f'{number:02}.srt' for number in range(12)]):
            raise Failure(f'run again it skips {skipped}, makes {done}, and leaves {names}\n{again.report()}')
    finally:
        again.kill()


# The scripts that work through files or lines: what they are started with, when they are in the middle of it, and what has
# to be true of what they leave behind.
FILES = {
    'file-to-file': (lambda folder: [long_recording(folder), folder / 'made.wav'], grows('made.wav'), whole_sound('made.wav')),
    'transcribe': (lambda folder: [long_recording(folder), folder / 'made.srt'], grows('made.srt'), whole_lines('made.srt')),
    'ask-file': (lambda folder: [long_recording(folder), 'What is said?', folder / 'made.wav'], grows('made.wav'),
                 whole_sound('made.wav')),
    'video-to-video': (lambda folder: [film(folder), folder / 'made.mkv'], says('Model:'), whole_film),
    'describe-video': (lambda folder: [film(folder)], says('Model:'), None),
    'describe-folder': (lambda folder: [album(folder)], says('"file"'), whole_json),
    'caption-video': (lambda folder: [film(folder), folder / 'made.mkv', '3'], grows('made.srt'), whole_captions),
    'batch': (lambda folder: ['2', recordings(folder), folder / 'made'], has_file('made/[!.]*.srt'), goes_on),
    'demo': (lambda folder: [long_recording(folder), folder / 'made.wav'], says('You:'), whole_sound('made.wav')),
    'dub': (lambda folder: [film(folder), folder / 'made.mkv', 'es'], says('Model:.*bytes'), whole_dub),
}
LINES = {
    'typed': ('What is two plus three?\n', says('is (5|five)')),
    'tools': ('How many processors does this computer have?\n', says(f'Model:.*{os.cpu_count()}')),
}


def file_interrupted(name):
    """A script that works through files is ended by Ctrl-C when it is in the middle."""
    arguments, is_begun, check = FILES[name]

    def run(folder):
        env = {'OPENAI_BASE_URL': os.environ['INTERPRETER_URL']} if name == 'dub' else {}
        program = Program([PROJECT / 'pipelines' / f'{name}.sh', *arguments(folder)], env, folder)
        with running(program):
            until(lambda: program.process.poll() is not None or is_begun(program), 'it is in the middle of its work',
                  BUILD_TIME if name == 'demo' else PATIENCE)
            program.interrupt()
            program.until_end((0, 130, -signal.SIGINT))
            if check:
                check(program)
    return run


def lines_interrupted(name):
    """A script that answers lines is ended by Ctrl-C in the middle of its second answer."""
    line, is_answered = LINES[name]

    def run(folder):
        program = Program([PROJECT / 'pipelines' / f'{name}.sh'], {}, folder, stdin=subprocess.PIPE)
        with running(program):
            program.type(line)
            until(lambda: program.process.poll() is not None or is_answered(program), 'it answers')
            program.type(line)
            program.interrupt()
            program.until_end((0, 130, -signal.SIGINT))
            if not is_answered(program):
                raise Failure('ended without an answer')
    return run


def camera_interrupted(folder):
    sink = folder / 'spoken.raw'
    program = Program([PROJECT / 'pipelines' / 'rtsp-camera.sh'], {'CAMERA': CAMERA, 'SINK': RAW.format(sink=sink)}, folder)
    with running(program):
        until_sounding(program, sink)
        program.interrupt()
        program.until_end((0, 130, -signal.SIGINT))


def situations():
    made = {}
    for name in LIVE:
        made[f'{name}: Ctrl-C in an answer'] = live(name, ctrl_c)
        made[f'{name}: barge-in'] = live(name, barge_in)
        made[f'{name}: input pauses for 10 s'] = live(name, pause)
        # webrtcdsp itself, of GStreamer 1.22, leaves out a quarter of what comes in bursts.
        if name != 'echo-cancelled':
            made[f'{name}: bursts of a second'] = live(name, burst, 1.0)
        made[f'{name}: four at once'] = at_once(live(name, ctrl_c))
    for name in INTERPRETERS:
        made[f'{name}: Ctrl-C in mid-sentence'] = live(name, interpreted_ctrl_c)
        made[f'{name}: input pauses for 10 s'] = live(name, interpreted_pause)
        made[f'{name}: bursts of a second'] = live(name, interpreted_ctrl_c, 1.0)
        made[f'{name}: four at once'] = at_once(live(name, interpreted_ctrl_c))
    others = {name: file_interrupted(name) for name in FILES} | {name: lines_interrupted(name) for name in LINES}
    for name, run in {**others, 'rtsp-camera': camera_interrupted}.items():
        made[f'{name}: Ctrl-C'] = run
        made[f'{name}: four at once'] = at_once(run)
    return made


def main():
    wanted = sys.argv[1:]
    chosen = {name: run for name, run in situations().items()
              if not wanted or any(word in name for word in wanted)}
    if wanted == ['--list']:
        print('\n'.join(situations()))
        return 0
    # A shell ignores it for what it starts in the background, and so would all that is started here.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.environ.update(PATH=f"{BUILD}:{os.environ['PATH']}", GST_PLUGIN_PATH=str(BUILD), GST_TRACERS='latency',
                      G_DEBUG='fatal-warnings', GST_DEBUG='2', GST_DEBUG_NO_COLOR='1')
    for name in ('OPENAI_API_KEY', 'AZURE_OPENAI_ENDPOINT'):
        os.environ.pop(name, None)
    servers = []
    failed = []
    try:
        for variable, options in (('OPENAI_BASE_URL', []), ('INTERPRETER_URL', ['--engine', 'echo'])):
            servers.append(subprocess.Popen([BUILD / 'realtime-server', '--listen', '127.0.0.1:0', *options],
                                            stdout=subprocess.PIPE, text=True, start_new_session=True))
            address = re.search(r'ws:(//\S+)/realtime', servers[-1].stdout.readline())
            os.environ[variable] = f'http:{address[1]}'
        for name, run in chosen.items():
            with tempfile.TemporaryDirectory() as folder:
                begin = time.monotonic()
                try:
                    run(pathlib.Path(folder))
                    print(f'ok      {name} ({time.monotonic() - begin:.0f} s)', flush=True)
                except Failure as failure:
                    failed.append(name)
                    print(f'FAILED  {name}: {failure}', flush=True)
            for server in servers:
                if server.poll() is not None:
                    raise SystemExit(f'a local server ended with {server.returncode}')
    finally:
        for server in servers:
            server.terminate()
            server.wait()
    print(f'{len(chosen) - len(failed)} situations are well, {len(failed)} are not')
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main())
