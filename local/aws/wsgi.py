"""Serve a WSGI application over HTTP on 127.0.0.1: a thread a connection, connections kept open, as many as fit."""

from __future__ import annotations

import io
import resource
import socket
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any

from moto.moto_server.werkzeug_app import MotoRequestHandler
from werkzeug.serving import make_server
from werkzeug.wrappers import Response

Application = Callable[[dict[str, Any], Any], Iterable[bytes]]


PATIENCE = 5.0  # seconds for requests under way when the server stops
MOST_CONNECTIONS = 256
FILES_KEPT = 96
"""Open files of the process besides connections: databases, logs, libraries, clients of the functions."""


def most_connections() -> int:
    """Return how many connections a server may keep open: two of them leave the process `FILES_KEPT` files."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return (
        MOST_CONNECTIONS if soft == resource.RLIM_INFINITY else max(4, min(MOST_CONNECTIONS, (soft - FILES_KEPT) // 4))
    )


class Connections:
    """The open connections of a server, and which of them wait for a request. Safe from any thread."""

    def __init__(self, most: int) -> None:
        self._most, self._lock = most, threading.Lock()
        self._threads: dict[socket.socket, threading.Thread] = {}
        self._idle: dict[socket.socket, None] = {}  # the longest idle first

    def opened(self, connection: socket.socket) -> None:
        """Note a connection of this thread. Beyond the most there may be, the one that idles for longest is closed."""
        with self._lock:
            self._threads[connection] = threading.current_thread()
            self._idle[connection] = None
            excess = list(self._idle)[: max(0, len(self._threads) - self._most)]
            for oldest in excess:
                del self._idle[oldest]
        for oldest in excess:
            end(oldest)

    def busy(self, connection: socket.socket) -> None:
        """Note that a request has come."""
        with self._lock:
            self._idle.pop(connection, None)

    def idle(self, connection: socket.socket) -> None:
        """Note that it is answered."""
        with self._lock:
            self._idle[connection] = None

    def closed(self, connection: socket.socket) -> None:
        with self._lock:
            self._threads.pop(connection, None)
            self._idle.pop(connection, None)

    def every(self) -> list[tuple[socket.socket, threading.Thread]]:
        """Return the open ones with their threads."""
        with self._lock:
            return list(self._threads.items())


def end(connection: socket.socket) -> None:
    """Let its thread see the client's end: it answers what has come, and closes."""
    with suppress(OSError):  # the client was faster
        connection.shutdown(socket.SHUT_RD)


class PortTakenError(OSError):
    """Another program listens on `port`."""

    def __init__(self, port: int, reason: str) -> None:
        super().__init__(f"127.0.0.1:{port} can't be listened on ({reason})")
        self.port = port


class Handler(MotoRequestHandler):  # type: ignore[misc]
    """Werkzeug's closes the connection after each answer, which costs clients a new one (and a thread) each time."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # else a second small packet waits 40 ms for the first one's acknowledgement
    wbufsize = -1  # head and body go out together
    timeout = 120  # seconds after which an idle connection is closed

    def setup(self) -> None:
        super().setup()
        self.server.connections.opened(self.connection)

    def finish(self) -> None:
        self.server.connections.closed(self.connection)
        super().finish()

    def run_wsgi(self) -> None:
        self.server.connections.busy(self.connection)
        try:
            self.answer()
        finally:
            self.server.connections.idle(self.connection)

    def answer(self) -> None:
        """Read the request's body, and write the application's answer."""
        self.environ = environ = self.make_environ()
        # Read to its end, whatever the application reads of it: the next request follows on the same connection.
        if environ.get("wsgi.input_terminated"):
            body = environ["wsgi.input"].read()
            environ["CONTENT_LENGTH"] = str(len(body))
        elif (length := environ.get("CONTENT_LENGTH") or "0").isdecimal():
            body = self.rfile.read(int(length))
        else:
            self.send_error(400, "Content-Length is no number")  # which ends the connection, too
            return
        environ["wsgi.input"] = io.BytesIO(body)
        try:
            response = Response.from_app(self.server.app, environ, buffered=True)
        except Exception:
            traceback.print_exc(file=sys.stderr)
            response = Response("The local AWS failed; its terminal says why.\n", 500)
        content = response.get_data()
        self.send_response(response.status_code)
        for name, value in response.headers.items():
            if name.lower() not in ("content-length", "transfer-encoding", "connection", "server", "date"):
                self.send_header(name, value)
        if self.command == "HEAD" and "Content-Length" in response.headers:
            self.send_header("Content-Length", response.headers["Content-Length"])
        elif response.status_code not in (204, 304):
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD" and response.status_code not in (204, 304):
            self.wfile.write(content)
        self.wfile.flush()

    def handle_expect_100(self) -> bool:
        """S3's clients wait a second for this before they send a body."""
        self.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        self.wfile.flush()
        return True

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Log nothing: there are thousands a minute."""

    def log(self, type: str, message: str, *args: Any) -> None:
        """Log nothing of clients that go away and of idle connections that are closed."""


class Server:
    """Listens from the start; answers from `start()` to `stop()`."""

    def __init__(self, port: int) -> None:
        """`port` 0 is any free one. Raises PortTakenError."""
        self._socket = socket.socket()
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            self._socket.bind(("127.0.0.1", port))
            self._socket.listen(128)
        except OSError as error:
            self._socket.close()
            raise PortTakenError(port, error.strerror or str(error)) from error
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        self._server: Any = None

    def start(self, application: Application) -> None:
        self._server = make_server(
            "127.0.0.1", 0, application, threaded=True, request_handler=Handler, fd=self._socket.fileno()
        )
        self._server.daemon_threads = True
        self._server.connections = Connections(most_connections())
        self._socket.close()  # the server has its own copy
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), name=self.url, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Take no more requests, and give those under way a moment; may be called again."""
        self._socket.close()
        if self._server is None:
            return
        self._server.shutdown()
        self._thread.join()
        open_ones = self._server.connections.every()
        for connection, _ in open_ones:
            end(connection)
        deadline = time.monotonic() + PATIENCE
        for _, thread in open_ones:
            thread.join(max(0.0, deadline - time.monotonic()))
