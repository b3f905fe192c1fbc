#!/usr/bin/python3
# SPDX-License-Identifier: MPL-2.0
"""Passes lines on so that whoever reads the pipe gets them one at a time, however fast they come.

A pipe is a stream of bytes, and several lines can be read from it at once. With O_DIRECT it is one of packets: each
write is read alone (Linux, pipe(2)). Where that cannot be had, lines are passed on as they are.
"""

import fcntl
import os
import select
import sys

try:
    flags = fcntl.fcntl(sys.stdout, fcntl.F_GETFL)
    fcntl.fcntl(sys.stdout, fcntl.F_SETFL, flags | os.O_DIRECT)
except (AttributeError, OSError):
    pass

try:
    for line in sys.stdin.buffer:
        # A packet has no more bytes than this.
        for start in range(0, len(line), select.PIPE_BUF):
            os.write(sys.stdout.fileno(), line[start : start + select.PIPE_BUF])
except (BrokenPipeError, KeyboardInterrupt):
    pass
