"""The local AWS in processes of their own: served until it is killed, or a command that comes to its end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from local import server
from tests.support import ROOT

LOCAL = (sys.executable, "-m", "local")
FREE_PORTS = ("--port", "0", "--api-port", "0")


def ended(*arguments: str, **environment: str) -> tuple[int, str]:
    """Run `python -m local` to its end: its exit status, and what it printed, in one line. It prints no traceback."""
    command = [*LOCAL, *arguments]
    done = subprocess.run(
        command, cwd=ROOT, env=os.environ | environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert "Traceback" not in done.stdout + done.stderr, done.stdout + done.stderr
    return done.returncode, " ".join((done.stdout + done.stderr).split())


@dataclass
class Served:
    """What `python -m local serve` has announced, and its process."""

    home: Path
    process: subprocess.Popen[str]
    endpoint_url: str
    admin_url: str

    def client(self, service: str, **config: Any) -> Any:
        return boto3.client(
            service,  # type: ignore[call-overload]
            endpoint_url=self.endpoint_url,
            region_name="us-east-1",
            aws_access_key_id="local",
            aws_secret_access_key="local",
            config=Config(**config),
        )

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def stop(self) -> None:
        """End it as Ctrl-C does: its databases write down what they have put off."""
        self.process.send_signal(signal.SIGINT)
        self.process.wait()


@contextmanager
def served(home: Path, *options: str, under: Sequence[str] = (), **environment: str) -> Iterator[Served]:
    """Run `python -m local serve` on free ports, under a command if one is given, and kill it in the end."""
    command = [*under, *LOCAL, "serve", *FREE_PORTS, "--home", str(home), *options]
    process = subprocess.Popen(
        command, cwd=ROOT, env=os.environ | environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    try:
        deadline = time.monotonic() + 60
        while not (announced := server.running(home)) or int(announced["pid"]) != process.pid:
            assert process.poll() is None, process.communicate()[0]
            assert time.monotonic() < deadline, "it did not start within a minute"
            time.sleep(0.02)
        yield Served(home, process, announced["endpoint_url"], announced["admin_url"])
    finally:
        process.kill()
        process.communicate()
