"""An HTTP server on 127.0.0.1 for a WSGI application: a thread a connection, connections kept open."""

from __future__ import annotations

import io
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


class PortTakenError(OSError):
    """Somebody else listens there."""


class Handler(MotoRequestHandler):  # type: ignore[misc]
    """Werkzeug's closes the connection after each answer, which costs clients a new one (and a thread) each time."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # else a second small packet waits 40 ms for the first one's acknowledgement
    wbufsize = -1  # head and body go out together
    timeout = 120  # seconds after which an idle connection is closed

    def setup(self) -> None:
        super().setup()
        self.server.connections[self.connection] = threading.current_thread()

    def finish(self) -> None:
        self.server.connections.pop(self.connection, None)
        super().finish()

    def run_wsgi(self) -> None:
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
        """Thousands a minute: nobody reads them."""

    def log(self, type: str, message: str, *args: Any) -> None:
        """Clients that go away, idle connections that are closed: not worth a line."""


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
            raise PortTakenError(f"127.0.0.1:{port} can't be listened on ({error.strerror})") from error
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        self._server: Any = None

    def start(self, application: Application) -> None:
        self._server = make_server(
            "127.0.0.1", 0, application, threaded=True, request_handler=Handler, fd=self._socket.fileno()
        )
        self._server.daemon_threads = True
        self._server.connections = {}  # open ones and their threads
        self._socket.close()  # the server has its own copy
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), name=self.url, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Takes no more requests, and gives those under way a moment; may be called again."""
        self._socket.close()
        if self._server is None:
            return
        self._server.shutdown()
        self._thread.join()
        open_ones = list(self._server.connections.items())
        for connection, _ in open_ones:
            with suppress(OSError):  # the client was faster
                connection.shutdown(socket.SHUT_RD)  # to the thread the client has gone, once it has answered
        deadline = time.monotonic() + PATIENCE
        for _, thread in open_ones:
            thread.join(max(0.0, deadline - time.monotonic()))
