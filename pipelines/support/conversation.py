# SPDX-License-Identifier: MPL-2.0
"""Reads what `gst-launch-1.0 -m` prints and tells the conversation in it; ends when the input does.

Everything that is not a message of the element is passed on to stderr, except for gst-launch's own chatter.
"""

import os
import re
import signal
import sys

MESSAGE = re.compile(r'^Got message #\d+ from .*?\(element\): openairealtime/([a-z-]+), (.*);\s*$')
FIELD = re.compile(r'([a-z-]+)=\((\w+)\)("(?:[^"\\]|\\.)*"|[^,;]*)')
CHATTER = re.compile(
    r'^(Got message|Setting pipeline|Pipeline is|Redistribute|Got EOS|Execution ended|Freeing|New clock|Prerolled|'
    r'Progress:|handling interrupt|Interrupt:|EOS on|Waiting|Use Windows|[0-9:.]+ / |\s*$)'
)


def fields(text):
    """The fields of a GStreamer structure as it is printed."""
    found = {}
    for name, _, value in FIELD.findall(text):
        if value.startswith('"'):
            value = value[1:-1]
        # GStreamer escapes single bytes, in octal where they cannot be printed.
        raw = re.sub(
            rb'\\([0-3][0-7]{2}|.)',
            lambda m: bytes([int(m[1], 8)]) if len(m[1]) == 3 else m[1],
            value.encode('utf-8', 'surrogateescape'),
        )
        found[name] = raw.decode('utf-8', 'replace')
    return found


def clock(nanoseconds):
    """A time on the media timeline."""
    if nanoseconds is None:
        return '      '
    tenths = int(nanoseconds) // 100_000_000
    return f'{tenths // 600:2d}:{tenths // 10 % 60:02d}.{tenths % 10}'


def tell(name, message):
    """One line for what people want to know; nothing for the rest."""
    if name == 'session' and message['state'] == 'ready':
        return f"        (session ready: {message.get('model', '')})"
    if name == 'transcript' and message['final'] == 'true':
        who = {'user': 'You:  ', 'assistant': 'Model:'}[message['role']]
        return f"{clock(message.get('running-time'))}  {who} {message['text'] or '(nothing)'}"
    if name == 'frame' and message['state'] == 'sent':
        return f"{clock(message.get('running-time'))}  (a picture of {int(message['size']) // 1000} kB)"
    if name == 'interrupted':
        return f"        (interrupted after {int(message['heard']) / 1e9:.1f} s)"
    if name == 'response' and message['state'] in ('failed', 'incomplete'):
        return f"        (the answer is {message['state']}: {message.get('error-message', message.get('reason', ''))})"
    # The local server costs nothing, whatever the model's name.
    if name == 'usage' and 'total-cost' in message and os.environ.get('OPENAI_API_KEY'):
        return f"        (cost so far: {float(message['total-cost']):.4f} US dollars)"
    return None


# Ctrl-C is for the pipeline, which may have something to say yet.
signal.signal(signal.SIGINT, signal.SIG_IGN)

for line in sys.stdin:
    if match := MESSAGE.match(line):
        if text := tell(match[1], fields(match[2])):
            print(text, flush=True)
    elif not CHATTER.match(line):
        print(line, end='', file=sys.stderr, flush=True)
