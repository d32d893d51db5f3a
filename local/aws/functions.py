"""Emulate AWS Lambda: run the app's functions in this process or beside it. Lambda's other operations are moto's."""

from __future__ import annotations

import json
import re
import threading
import time
import traceback
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import unquote

import orjson
from moto.awslambda import urls
from moto.awslambda.responses import LambdaResponse

from local.aws import callers
from local.aws.context import Context
from local.aws.logs import Logs
from local.aws.worker import DiedError, Worker, loads

ROOT = Path(__file__).parents[2]
MOST_BYTES = 6 * 1024 * 1024
"""Of a synchronous request and of its answer: docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html"""
MOST_EVENT_BYTES = 1024 * 1024
"""Of an asynchronous request, by the same page."""
EVENT_ATTEMPTS = 3
"""docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html"""
EVENT_PAUSES = (1.0, 2.0)  # seconds; minutes on AWS
DEFAULT_TIMEOUT = 60  # seconds, Chalice's
CONCURRENCY = 16
ACCOUNT_CONCURRENCY = 1000


class FunctionError(Exception):
    """The function raised, or its answer can't be sent."""

    def __init__(self, error_type: str, message: str, stack: list[str] | None = None) -> None:
        super().__init__(f"{error_type}: {message}")
        self.payload = {"errorType": error_type, "errorMessage": message, "stackTrace": stack or []}


@dataclass(frozen=True)
class Function:
    name: str  # "transform", as Chalice knows it
    code: Callable[[Any, Any], Any]
    timeout: float  # seconds
    memory: int  # MB
    handler: str = "app.app"


def copied(event: Any) -> Any:
    """Return what JSON makes of an event."""
    try:
        return orjson.loads(orjson.dumps(event))
    except (TypeError, orjson.JSONDecodeError):  # a lone surrogate, an integer of more than 64 bits
        return json.loads(json.dumps(event))


def dumped(event: Any) -> bytes:
    try:
        return orjson.dumps(event)
    except TypeError:  # a lone surrogate, an integer of more than 64 bits
        return json.dumps(event).encode()


def answered(answer: str | bytes) -> Any:
    """Return a function's answer. Raises FunctionError for one that is too long."""
    if len(answer) > MOST_BYTES:
        message = f"Response payload size exceeded maximum allowed payload size ({MOST_BYTES} bytes)."
        raise FunctionError("Function.ResponseSizeTooLarge", message)
    return loads(answer)


def of_app(stage: str) -> dict[str, Function]:
    """Return the functions that the app declares, by their names on AWS; the API's bears the stage's name alone."""
    app = import_module("app").app
    config = json.loads((ROOT / ".chalice" / "config.json").read_text())
    settings = config["stages"][stage].get("lambda_functions", {})
    own = settings.get("api_handler", {})
    timeout, memory = own.get("lambda_timeout", DEFAULT_TIMEOUT), own.get("lambda_memory_size", 128)
    found = {f"{config['app_name']}-{stage}": Function("api_handler", app, timeout, memory)}
    for declared in (*app.pure_lambda_functions, *app.event_sources):
        module, function = declared.handler_string.split(".")
        own = settings.get(declared.name, {})
        found[f"{config['app_name']}-{stage}-{declared.name}"] = Function(
            declared.name,
            getattr(import_module(module), function),
            own.get("lambda_timeout", DEFAULT_TIMEOUT),
            own.get("lambda_memory_size", 128),
            declared.handler_string,
        )
    return found


class Functions:
    """Runs functions by their name or ARN, any number at a time."""

    def __init__(self, functions: dict[str, Function], logs: Logs) -> None:
        self.functions, self._logs = functions, logs
        self._workers: dict[str, Worker] = {}
        self._events = ThreadPoolExecutor(CONCURRENCY, thread_name_prefix="lambda")
        self._closing = threading.Event()

    def find(self, name: str) -> str | None:
        """Return the function's full name, from any way of naming it; None if there is no such function."""
        given = re.sub(r":\$LATEST$", "", name).rsplit(":function:", 1)[-1]
        return given if given in self.functions else None

    def invoke(self, name: str, event: Any) -> Any:
        """Invoke the function; return its answer. Raises FunctionError when it raises, KeyError when there is no such
        function.
        """
        known = self.find(name)
        if known is None:
            raise KeyError(f"There is no function {name}; there are {', '.join(self.functions)}")
        function = self.functions[known]
        context = Context(known, function.memory, time.monotonic() + function.timeout)
        if worker := self._workers.get(known):
            return self._elsewhere(worker, function, event, context)
        with self._logs.of(function.name) as log:
            try:
                # Through JSON, as on AWS: the function gets a copy, and what it answers must be JSON for json.dumps,
                # which is what Lambda's runtime calls.
                answer = json.dumps(function.code(copied(event), context))
            except Exception as error:
                stack = traceback.format_exc()
                log.write(f"[ERROR] {type(error).__name__}: {error}\n{stack}")
                raise FunctionError(type(error).__name__, str(error), stack.splitlines()) from error
        return answered(answer)

    def start_worker(self, name: str) -> None:
        """Run the function in a process of its own from now on, with its role's key."""
        self._workers[name] = Worker(self.functions[name].handler, {"AWS_ACCESS_KEY_ID": f"{callers.ROLE_KEY}{name}"})

    def _elsewhere(self, worker: Worker, function: Function, event: Any, context: Context) -> Any:
        try:
            reply = worker.invoke(dumped(event), orjson.dumps(context))
        except DiedError as error:
            raise FunctionError("Runtime.ExitError", f"RequestId: {context.aws_request_id} Error: {error}") from error
        with self._logs.of(function.name) as log:
            log.write(reply.logged)
        if reply.failed:
            raise FunctionError(*loads(reply.answer))
        return answered(reply.answer)

    def invoke_later(self, name: str, event: Any) -> None:
        """Invoke the function asynchronously: with two more attempts when it fails."""
        self._events.submit(self._attempts, name, event)

    def close(self) -> None:
        """Take no more; what runs ends."""
        self._closing.set()
        for worker in self._workers.values():
            worker.close()
        self._events.shutdown(cancel_futures=True)

    def _attempts(self, name: str, event: Any) -> None:
        for attempt in range(EVENT_ATTEMPTS):
            try:
                self.invoke(name, event)
                return
            except FunctionError:  # it is in the function's log
                if attempt + 1 == EVENT_ATTEMPTS or self._closing.wait(EVENT_PAUSES[attempt]):
                    return


class LiveLambda(LambdaResponse):  # type: ignore[misc]
    """Invoke, for functions of the app."""

    functions: ClassVar[Functions]

    def get_account_settings(self) -> Any:
        """Return the limits of a new account: docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html."""
        limit = {"ConcurrentExecutions": ACCOUNT_CONCURRENCY, "UnreservedConcurrentExecutions": ACCOUNT_CONCURRENCY}
        return answer(
            200, json.dumps({"AccountLimit": limit, "AccountUsage": {"FunctionCount": len(self.functions.functions)}})
        )

    def invoke(self) -> Any:
        name = self.functions.find(unquote(self.path.rstrip("/").rsplit("/", 2)[-2]))
        if name is None:
            return super().invoke()
        kind = self.headers.get("X-Amz-Invocation-Type", "RequestResponse")
        most = MOST_EVENT_BYTES if kind == "Event" else MOST_BYTES
        if len(self.body or b"") > most:
            message = {"Type": "User", "message": f"Request must be smaller than {most} bytes for the Invoke operation"}
            return answer(413, json.dumps(message), {"x-amzn-errortype": "RequestTooLargeException"})
        try:
            event = json.loads(self.body or b"{}")
        except ValueError as error:
            message = {"Type": "User", "message": f"Could not parse request body into json: {error}"}
            return answer(400, json.dumps(message), {"x-amzn-errortype": "InvalidRequestContentException"})
        if kind == "DryRun":
            return answer(204)
        if kind == "Event":
            self.functions.invoke_later(name, event)
            return answer(202)
        executed = {"x-amz-executed-version": "$LATEST"}
        try:
            return answer(200, json.dumps(self.functions.invoke(name, event)), executed)
        except FunctionError as error:
            return answer(200, json.dumps(error.payload), {**executed, "x-amz-function-error": "Unhandled"})


def answer(status: int, body: str = "", headers: Mapping[str, str] | None = None) -> tuple[str, dict[str, Any]]:
    """Return the answer as moto takes it, which reads the status from the headers alone."""
    return body, {"status": status, "content-type": "application/json", **(headers or {})}


def install(logs: Logs, stage: str) -> Functions:
    """Put it into moto; before the server's first request."""
    LiveLambda.functions = Functions(of_app(stage), logs)
    urls.url_paths["{0}/(?P<api_version>[^/]+)/account-settings/?$"] = LiveLambda.dispatch
    for path in urls.url_paths:
        urls.url_paths[path] = LiveLambda.dispatch
    return LiveLambda.functions
