# SPDX-License-Identifier: MPL-2.0
"""Reads what `gst-launch-1.0 -m` prints and tells the conversation in it; ends when the input does.

    conversation.py                      the conversation of `openairealtime`
    conversation.py --json FILE...       the answers of `openaichat`, a JSON object a line: the answer to each second of
                                         the input belongs to one of the files

Everything that is not a message of the element is passed on to stderr, except for gst-launch's own chatter.
"""

import json
import os
import re
import signal
import sys

MESSAGE = re.compile(r'^Got message #\d+ from .*?\(element\): (openairealtime|openaichat)/([a-z-]+), (.*);\s*$')
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
    if name == 'response' and 'request-id' in message and message['state'] == 'completed':
        return f"{clock(message.get('running-time'))}  Model: {message['text'] or '(nothing)'}"
    if name == 'response' and message['state'] in ('failed', 'incomplete'):
        return f"        (the answer is {message['state']}: {message.get('error-message', message.get('reason', ''))})"
    # The local server costs nothing, whatever the model's name.
    if name == 'usage' and 'total-cost' in message and os.environ.get('OPENAI_API_KEY'):
        return f"        (cost so far: {float(message['total-cost']):.4f} US dollars)"
    return None


def answer_line(message, files):
    """The answer of `openaichat` to one of the files."""
    index = int(message['running-time']) // 1_000_000_000
    found = {'file': files[index] if index < len(files) else None}
    text = message.get('text', '')
    try:
        found['answer'] = json.loads(text)
    except ValueError:
        found['answer'] = text
    if message['state'] != 'completed':
        found['error'] = message.get('error-message', message['state'])
    return json.dumps(found, ensure_ascii=False)


as_json = sys.argv[1:2] == ['--json']
files = sys.argv[2:]

# Ctrl-C is for the pipeline, which may have something to say yet.
signal.signal(signal.SIGINT, signal.SIG_IGN)

for line in sys.stdin:
    if match := MESSAGE.match(line):
        element, name, message = match[1], match[2], fields(match[3])
        if as_json:
            text = answer_line(message, files) if (element, name) == ('openaichat', 'response') else None
        else:
            text = tell(name, message)
        if text:
            print(text, flush=True)
    elif not CHATTER.match(line):
        print(line, end='', file=sys.stderr, flush=True)
