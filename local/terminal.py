"""Share the terminal functions of the commands: a spinner, and advice that repeats the typed command."""

from __future__ import annotations

import os
import signal
import threading

from rich.console import Console
from rich.live import Live
from rich.spinner import Spinner

IN_MAKE = {"--source": "SOURCE", "--home": "LOCAL_HOME", "--port": "PORT", "--api-port": "API_PORT", "--data": "DATA"}


def working(console: Console, message: str) -> Live:
    """Return a context that shows a message with a spinner until its end.

    `Console.status` does so too, but replaces sys.stdout meanwhile, and what functions print would reach the terminal
    instead of their logs (`local/aws/logs.py`).
    """
    spinner = Spinner("dots", text=message, style="status.spinner")
    return Live(
        spinner,
        console=console,
        refresh_per_second=12.5,
        transient=True,
        redirect_stdout=False,
        redirect_stderr=False,
    )


def typed(otherwise: str) -> str:
    """Return the command that was typed: `make demo` where the Makefile says so, else `otherwise`."""
    return os.environ.get("TYPED") or otherwise


def option(name: str, value: object) -> str:
    """Return an option as it is written in the command that was typed: `--port 1`, or after make `PORT=1`."""
    return f"{IN_MAKE[name]}={value}" if name in IN_MAKE and os.environ.get("TYPED") else f"{name} {value}"


def complain(console: Console, message: str) -> None:
    """Print what went wrong and what to do about it, in one line."""
    console.print(message, style="red", highlight=False, markup=False, soft_wrap=True)


def stopped() -> threading.Event:
    """Return an event that Ctrl-C or SIGTERM sets; the second one ends the process at once."""
    stop = threading.Event()

    def end(number: int, _: object) -> None:
        signal.signal(number, signal.SIG_DFL)
        stop.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, end)
    return stop
