"""Run a function in a process of its own, so that it and the services don't share an interpreter's lock.

The process is started once and asked again and again over a socket, each time with a frame for the context and one for
the event; it answers with a frame for what came of it, one for the answer and one for what was logged meanwhile. It
ends when its end of the socket is closed, however the server ended.
"""

from __future__ import annotations

import io
import json
import os
import socket
import struct
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any, NamedTuple

import orjson

from local.aws.context import Context

SIZE = struct.Struct("<I")
WELL, FAILED = b"\1", b"\0"


class DiedError(Exception):
    """The process ended during an invocation."""


class Reply(NamedTuple):
    """What came of an invocation. `answer`: JSON; where it failed of the error's type, message and stack."""

    failed: bool
    answer: bytes
    logged: str


class Worker:
    """The process of a function. One invocation at a time; one that kills it costs the next one a start."""

    def __init__(self, handler: str, environment: Mapping[str, str]) -> None:
        """Start the process. `handler`: `module.function`."""
        self._handler, self._environment = handler, {**os.environ, **environment}
        self._lock = threading.Lock()
        self._start()

    def invoke(self, event: bytes, context: bytes) -> Reply:
        """Return what the function makes of an event. Both are JSON, the context of Context's fields. Raises
        DiedError.
        """
        with self._lock:
            if self._process.poll() is not None:
                self._start()
            try:
                _send(self._line, context)
                _send(self._line, event)
                status, answer, logged = (_receive(self._line) for _ in range(3))
            except (OSError, EOFError) as error:
                self._end()
                raise DiedError(f"the process ended with status {self._process.returncode}") from error
        return Reply(status == FAILED, answer, logged.decode())

    def close(self) -> None:
        """End the process, after what it is doing."""
        with self._lock:
            self._end()

    def _start(self) -> None:
        self._line, theirs = socket.socketpair()
        with theirs:
            # Ctrl-C is for the server: a process of another group doesn't get it.
            self._process = subprocess.Popen(  # noqa: S603
                [sys.executable, "-m", "local.aws.worker", self._handler, str(theirs.fileno())],
                env=self._environment,
                pass_fds=[theirs.fileno()],
                process_group=0,
            )

    def _end(self) -> None:
        self._line.close()
        self._process.wait()


def _send(line: socket.socket, frame: bytes) -> None:
    line.sendall(SIZE.pack(len(frame)) + frame)


def _receive(line: socket.socket) -> bytes:
    (size,) = SIZE.unpack(_exactly(line, SIZE.size))
    return _exactly(line, size)


def _exactly(line: socket.socket, size: int) -> bytes:
    found = bytearray(size)
    view = memoryview(found)
    while view:
        # All of it in one call: each return to the interpreter waits for its lock.
        count = line.recv_into(view, 0, socket.MSG_WAITALL)
        if not count:
            raise EOFError("the other end is closed")
        view = view[count:]
    return bytes(found)


# ------------------------------------------------------------------ in the process


def serve(handler: str, line: socket.socket) -> None:
    """Answer invocations until the other end is closed."""
    log = io.StringIO()
    sys.stdout = log  # before the app makes its loggers
    module, name = handler.rsplit(".", 1)
    function = getattr(import_module(module), name)
    while True:
        try:
            context, event = Context(**json.loads(_receive(line))), _receive(line)
        except EOFError:
            return
        status, answer = _invoked(function, event, context)
        for frame in (status, answer, log.getvalue().encode()):
            _send(line, frame)
        log.seek(0)
        log.truncate()


def _invoked(function: Callable[[Any, Any], Any], event: bytes, context: Context) -> tuple[bytes, bytes]:
    try:
        # What is answered must be JSON for json.dumps, which is what Lambda's runtime calls.
        return WELL, json.dumps(function(loads(event), context)).encode()
    except Exception as error:
        stack = traceback.format_exc()
        print(f"[ERROR] {type(error).__name__}: {error}\n{stack}")
        return FAILED, json.dumps([type(error).__name__, str(error), stack.splitlines()]).encode()


def loads(said: str | bytes) -> Any:
    """Parse an event, or an answer. Raises ValueError."""
    try:
        return orjson.loads(said)
    except orjson.JSONDecodeError:  # NaN, a lone surrogate
        return json.loads(said)


if __name__ == "__main__":
    serve(sys.argv[1], socket.socket(fileno=int(sys.argv[2])))
