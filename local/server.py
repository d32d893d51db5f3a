"""Start and stop all local services on one home folder, with `LocalAws`."""

from __future__ import annotations

import fcntl
import gc
import json
import logging
import os
import shutil
import sqlite3
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, TextIO

from local.aws import callers, disk, faults, wsgi
from local.terminal import option

if TYPE_CHECKING:
    from local.aws.firehose.settings import Login

REGION = "us-east-1"
STAGE = "local"
LOOK_SECONDS = 1.0  # between two looks of the loader: a minute on AWS, where each tweet may take longer, too
LOAD_PAUSE = 0.05


class HomeError(OSError):
    """The folder can't be a home: another process serves from it, or it holds something else."""


class AlreadyServingError(RuntimeError):
    """This process serves one already."""


_serving = threading.Lock()


class LocalAws:
    """The local AWS, from `with` to its end; one a process, for moto and the functions' environment are the process's.

    `home` holds all state, and a process that is killed loses nothing that it had acknowledged. `port` (the AWS
    endpoint) and `api_port` (the admin API) may be 0, any free one. `look_every`: seconds between two looks of the
    loader. `delivery`: `reconcile` or `firehose`, as on AWS. `collect_every`: seconds, where the app's own schedule is
    too slow. `workers`: the transform runs in a process of its own, so that two cores are of use.
    """

    stream = "disaster-tweets-local"

    def __init__(
        self,
        home: Path,
        port: int = 4566,
        api_port: int = 8000,
        look_every: float = LOOK_SECONDS,
        delivery: str = "reconcile",
        collect_every: float | None = None,
        workers: bool = False,
    ) -> None:
        self.home = home.resolve()
        self._ports, self._delivery = (port, api_port), delivery
        self._periods = {"reconcile": look_every, "collect": collect_every}
        self._workers = workers
        self._end = ExitStack()

    @property
    def environment(self) -> dict[str, str]:
        """Return what a client's environment needs, besides what it has."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint_url,
            "AWS_ACCESS_KEY_ID": "local",
            "AWS_SECRET_ACCESS_KEY": "local",
            "AWS_DEFAULT_REGION": REGION,
            "STAGE": STAGE,
        }

    def flush(self) -> None:
        """Let Firehose deliver all that it buffers and the loader load it; wait until that is done."""
        self._deliveries.flush()
        if self._delivery == "reconcile":
            self._load()

    def _load(self) -> None:
        """Look, as the schedule does, until no tweet file is left to load. Does nothing for a warehouse without tables,
        as the loader doesn't."""
        from local.aws import functions, schedule

        with suppress(functions.FunctionError):
            while self._runs.invoke(f"disaster-tweets-{STAGE}-reconcile", schedule.event())["left"]:
                time.sleep(LOAD_PAUSE)

    def __enter__(self) -> LocalAws:
        """Start the services. Raises HomeError, AlreadyServingError and wsgi.PortTakenError."""
        if not _serving.acquire(blocking=False):
            raise AlreadyServingError("One local AWS a process: start another with python -m local serve")
        self._end.callback(_serving.release)
        try:
            self._start()
        except BaseException as error:
            self._end.close()
            if disk.full(error):
                raise HomeError(
                    f"There is no room for {self.home} ({error}): make some, or name another --home"
                ) from error
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end.close()

    def _start(self) -> None:
        try:
            self.home.mkdir(parents=True, exist_ok=True)
            self._lock_home()
        except HomeError:
            raise
        except OSError as error:
            raise HomeError(
                f"{self.home} can't be written ({error.strerror}): name another home: {option('--home', 'FOLDER')}"
            ) from error
        aws, api = (self._listen(port) for port in self._ports)
        self.endpoint_url, self.admin_url = aws.url, api.url
        self._set_environment()

        from moto.core.base_backend import BackendDict

        from chalicelib import telemetry
        from local import provision
        from local.aws import (
            account,
            admin_http,
            comprehend,
            context,
            firehose,
            functions,
            kinesis,
            patches,
            s3,
            schedule,
            ssm,
            warehouse,
        )
        from local.aws.dispatch import Dispatcher
        from local.aws.logs import Logs

        BackendDict.reset()  # of an earlier one in this process
        patches.install()
        self.faults = faults.of(self.home)
        with _readable(self.home / "s3.sqlite"):
            store = s3.install(self.home, self.faults)
        self._end.callback(store.close)
        with _readable(self.home / "ssm.json"):
            ssm.install(self.home, REGION)
        with _readable(self.home / "kinesis.sqlite"):
            self._end.callback(kinesis.install(self.home).close)
        with _readable(self.home / "comprehend"):
            comprehend.install(self.home, store.read, store.list_keys, store.put, self.faults)
        with _readable(self.home / "warehouse.duckdb"):
            house = warehouse.install(self.home, store.read, store.list_keys, store.put, self.faults)
        self._end.callback(house.close)
        provision.users(house)
        logs = Logs(self.home, (telemetry.logger, logging.getLogger("disaster-tweets")))
        runs = functions.install(logs, STAGE)
        self._end.enter_context(logs)
        serving = threading.Event()

        def invoke(name: str, event: dict[str, Any]) -> Any:
            serving.wait()  # what the last run left is delivered at once, but functions need the endpoint
            return runs.invoke(name, event)

        def copied(sql: str, login: Login) -> int:
            house.log_in(login.username, login.password)
            return house.execute(sql, login.username)

        with _readable(self.home / "firehose"):
            self._deliveries = firehose.install(self.home, invoke, store.put, copied, self.faults)

        aws.start(Dispatcher())
        self._end.callback(aws.stop)
        self._end.callback(runs.close)
        self._end.callback(self._deliveries.close)
        self._end.callback(serving.set)
        transform = context.arn(f"disaster-tweets-{STAGE}-transform")
        topic = provision.provision(self.endpoint_url, REGION, transform, self._delivery)
        logs.hand_on = account.install(runs.functions, STAGE, REGION, topic, provision.alarms(topic))
        if self._workers:
            runs.start_worker(f"disaster-tweets-{STAGE}-transform")
        serving.set()
        api.start(admin_http.application(logs))
        self._end.callback(api.stop)

        periods = {name: self._periods.get(name) or period for name, period in schedule.of_app().items()}
        scheduled = schedule.Schedule(
            periods,
            lambda name, event: runs.invoke_later(f"disaster-tweets-{STAGE}-{name}", event),
        )
        self._runs = runs
        self._end.callback(scheduled.close)
        gc.freeze()  # what is there by now stays: no collection walks through it again
        self._end.callback(gc.unfreeze)
        self._announce()

    def _listen(self, port: int) -> wsgi.Server:
        server = wsgi.Server(port)
        self._end.callback(server.stop)
        return server

    def _lock_home(self) -> None:
        """Lock the home. The lock ends with the process, however that ends."""
        lock = self._end.enter_context((self.home / "lock").open("a+"))
        _take(lock, self.home)
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        (self.home / "server.json").unlink(missing_ok=True)  # of one that was killed

    def _set_environment(self) -> None:
        """Set this process' environment, which is the functions': nothing of the user's own AWS may be in it."""
        before = dict(os.environ)
        for name in before:
            if name.startswith(("AWS_ENDPOINT_URL", "AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_REGION", "AWS_IGNORE")):
                del os.environ[name]
        direct = ",".join(filter(None, (before.get("NO_PROXY") or before.get("no_proxy"), "127.0.0.1")))
        os.environ.update(self.environment, AWS_CONFIG_FILE=os.devnull, NO_PROXY=direct, no_proxy=direct)
        forget()
        callers.install(
            lambda function: f"disaster-tweets-{STAGE}-{function}-{REGION}", self.environment["AWS_ACCESS_KEY_ID"]
        )

        def restore() -> None:
            os.environ.clear()
            os.environ.update(before)
            callers.forget()
            forget()

        self._end.callback(restore)

    def _announce(self) -> None:
        announced = self.home / "server.json"
        text = {"pid": os.getpid(), "endpoint_url": self.endpoint_url, "admin_url": self.admin_url}
        announced.write_text(json.dumps(text))
        self._end.callback(announced.unlink, missing_ok=True)


REBUILT = {
    "warehouse.duckdb": "set-up and a reconciliation fill a new one from the tweet files",
    "ssm.json": "a new one has the stage's own parameters",
}
"""What of a home is made again from the rest; anything else is lost with its file."""


@contextmanager
def _readable(state: Path) -> Iterator[None]:
    """Raise HomeError, with what to do, where a service can't read the state that it has kept."""
    import duckdb

    try:
        yield
    except (duckdb.Error, sqlite3.DatabaseError, ValueError, KeyError, TypeError) as error:
        if disk.full(error):
            raise
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        then = REBUILT.get(state.name, "what was in it is lost")
        raise HomeError(
            f"{state} is damaged ({reason}). Move it away and start again; {then}: mv {state} {state}.damaged"
        ) from error


def _take(lock: TextIO, home: Path) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.seek(0)
        raise HomeError(
            f"{home} is in use by process {lock.read().strip()}: stop that one (Ctrl-C), or name another: "
            + option("--home", "FOLDER")
        ) from None


def fresh(home: Path) -> None:
    """Remove what an earlier run left. Raises HomeError rather than take a folder away that is no home, or in use."""
    if not home.exists():
        return
    if any(home.iterdir()) and not (home / "lock").exists():
        raise HomeError(f"{home} holds something else: name another home: {option('--home', 'FOLDER')}")
    with (home / "lock").open("a+") as lock:
        _take(lock, home)
        shutil.rmtree(home)


def forget() -> None:
    """Drop what the app remembers of the AWS that it talked to."""
    from chalicelib import clients, settings
    from chalicelib.classifier import active

    clients._client.cache_clear()
    settings.settings.cache_clear()
    active.forget()


def running(home: Path) -> Mapping[str, str] | None:
    """Return what the server of this home announced (`endpoint_url`, `admin_url`), None if none runs."""
    try:
        announced: dict[str, str] = json.loads((home / "server.json").read_text())
        os.kill(int(announced["pid"]), 0)
    except (OSError, ValueError):
        return None
    return announced
