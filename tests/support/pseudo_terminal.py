"""Runs a command in a pseudo-terminal, as people do: what it prints there is not what it prints into a pipe."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from tests.support import ROOT

ROWS = 40
NOT_INHERITED = {"TYPED", "MAKELEVEL", "MAKEFLAGS", "MFLAGS", "DATA", "LOCAL_HOME", "NO_COLOR", "STAGE"}
"""Variables that `make test` or another test has set, and that a person's shell has not."""


def in_terminal(
    command: Sequence[str],
    *,
    columns: int = 80,
    environment: Mapping[str, str] | None = None,
    folder: Path = ROOT,
    seconds: float = 120,
    until: Callable[[str], bool] | None = None,
) -> tuple[int, str]:
    """Run a command in a terminal of so many columns: (exit status, all that it printed, control sequences too).

    A variable of `environment` that is empty is unset.
    Once `until` holds for the output, it gets one Ctrl-C. It is killed after `seconds`.
    """
    leader, follower = pty.openpty()
    fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, columns, 0, 0))
    variables = {name: value for name, value in os.environ.items() if name not in NOT_INHERITED}
    variables |= {"TERM": "xterm-256color"} | dict(environment or {})
    process = subprocess.Popen(
        command,
        cwd=folder,
        env={name: value for name, value in variables.items() if value},
        stdin=follower,
        stdout=follower,
        stderr=follower,
        start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
    )
    os.close(follower)
    output, deadline = b"", time.monotonic() + seconds
    try:
        while time.monotonic() < deadline:
            if not select.select([leader], [], [], 0.1)[0]:
                continue
            try:
                chunk = os.read(leader, 65536)
            except OSError:  # EIO: the last process with this terminal has ended
                break
            if not chunk:
                break
            output += chunk
            if until and until(output.decode(errors="replace")):
                until = None
                os.write(leader, b"\x03")
        else:
            os.killpg(process.pid, signal.SIGKILL)
    finally:
        os.close(leader)
        process.wait(timeout=30)
    return process.returncode, output.decode(errors="replace").replace("\r\n", "\n")
