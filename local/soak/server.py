"""Run `python -m local serve` in a process of its own, which may be killed and started again."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from local import server
from local.aws import faults

ROOT = Path(__file__).parents[2]
LOOK_SECONDS = 900.0  # the soak asks for its reconciliations itself
START_SECONDS = 60.0  # until a server must be up


class SoakError(Exception):
    """The soak itself can't go on."""


class Server:
    """The local AWS of a home, on the same ports after each start."""

    def __init__(self, home: Path) -> None:
        self.home = home.resolve()
        self._ports = ("0", "0")
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and wait until it answers. Raises SoakError when it isn't up in time."""
        port, api_port = self._ports
        serve = [sys.executable, "-m", "local", "serve", "--delivery", "firehose", "--look-every", str(LOOK_SECONDS)]
        command = [*serve, "--home", str(self.home), "--port", port]
        self.home.mkdir(parents=True, exist_ok=True)
        with (self.home / "server.log").open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 - our own command
                [*command, "--api-port", api_port], cwd=ROOT, stdout=log, stderr=log, stdin=subprocess.DEVNULL
            )
        deadline = time.monotonic() + START_SECONDS
        while not (known := server.running(self.home)) or int(known["pid"]) != self._process.pid:
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise SoakError(f"The server does not start; see {self.home / 'server.log'}")
            time.sleep(0.02)
        self.endpoint_url, self.admin_url = known["endpoint_url"], known["admin_url"]
        self._ports = (self.endpoint_url.rpartition(":")[2], self.admin_url.rpartition(":")[2])

    def kill(self) -> None:
        """End it with SIGKILL."""
        assert self._process
        self._process.kill()
        self._process.wait()

    def stop(self) -> None:
        """End it with SIGTERM, and with SIGKILL if it takes longer than 30 seconds."""
        if self._process and self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(30)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()

    def __enter__(self) -> Server:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def set_faults(home: Path, rates: Mapping[str, float], seed: int = 0) -> None:
    """Set other rates from now on; without rates the faults stop."""
    file = home / "faults.json"
    if not rates:
        file.unlink(missing_ok=True)
        return
    new = file.with_suffix(".new")
    new.write_text(json.dumps({"seed": seed, "rates": dict(rates)}))
    new.replace(file)


def struck(home: Path) -> Counter[str]:
    """Return how often each fault struck, over all restarts."""
    tally = faults.tally_of(home)
    return Counter(tally.read_text().split()) if tally.exists() else Counter()
