"""The HTTP server under the local AWS: whatever a client sends, the next one is answered."""

import resource
import socket
from collections.abc import Iterator
from typing import Any

import pytest
from werkzeug.wrappers import Request, Response

from local.aws import wsgi
from local.aws.wsgi import PortTakenError, Server


@Request.application
def application(request: Request) -> Response:
    if request.path == "/fails":
        raise RuntimeError("on purpose")
    if request.path == "/ignores":
        return Response("ignored")
    return Response(request.get_data(), headers={"X-Path": request.path})


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server(0)
    server.start(application)
    yield server
    server.stop()


def talk(server: Server, *requests: bytes) -> bytes:
    """All that comes back on one connection, on which the last request asks for its end."""
    with socket.create_connection(("127.0.0.1", int(server.url.rpartition(":")[2])), timeout=10) as connection:
        connection.sendall(b"".join(requests))
        answer = b""
        while piece := connection.recv(65536):
            answer += piece
    return answer


LAST_PATH = b"X-Path: /last"
LAST = b"GET /last HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello", b"200"),
        (b"POST /ignores HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello", b"200"),
        (b"POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", b"200"),
        (b"HEAD /echo HTTP/1.1\r\nHost: x\r\n\r\n", b"200"),
        (b"GET /fails HTTP/1.1\r\nHost: x\r\n\r\n", b"500"),
    ],
)
def test_a_connection_goes_on_after_each_answer(
    server: Server, request_: bytes, status: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    answer = talk(server, request_, LAST)
    assert answer.startswith(b"HTTP/1.1 " + status)
    assert answer.count(b"HTTP/1.1 ") == 2
    assert b"X-Path: /last" in answer
    assert (b"hello" in answer) == (b"/echo" in request_ and b"hello" in request_)


def test_who_waits_for_100_continue_gets_it_at_once(server: Server) -> None:
    head = b"PUT /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n"
    with socket.create_connection(("127.0.0.1", int(server.url.rpartition(":")[2])), timeout=10) as connection:
        connection.sendall(head)
        assert connection.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(b"ok")
        assert connection.recv(1000).endswith(b"ok")


def test_idle_connections_do_not_keep_others_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wsgi, "MOST_CONNECTIONS", 8)
    server = Server(0)
    server.start(application)
    port = int(server.url.rpartition(":")[2])
    idle = [socket.create_connection(("127.0.0.1", port), timeout=10) for _ in range(30)]
    try:
        assert LAST_PATH in talk(server, LAST)
        assert idle[0].recv(10) == b"", "the one that was idle for longest is closed"
        assert len(server._server.connections.every()) <= 8 + 1
    finally:
        for each in idle:
            each.close()
        server.stop()


def test_a_connection_at_work_is_not_closed_for_a_newer_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wsgi, "MOST_CONNECTIONS", 4)
    server = Server(0)
    server.start(application)
    port = int(server.url.rpartition(":")[2])
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=10) as working:
            working.sendall(b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n")
            assert working.recv(100).startswith(b"HTTP/1.1 100")
            idle = [socket.create_connection(("127.0.0.1", port), timeout=10) for _ in range(20)]
            assert LAST_PATH in talk(server, LAST)
            working.sendall(b"hello")
            assert working.recv(1000).endswith(b"hello")
            for each in idle:
                each.close()
    finally:
        server.stop()


@pytest.mark.parametrize(("limit", "most"), [(64, 4), (256, 40), (1024, 232), (1 << 20, 256)])
def test_connections_leave_files_for_the_rest_of_the_process(
    monkeypatch: pytest.MonkeyPatch, limit: int, most: int
) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (limit, limit))
    assert wsgi.most_connections() == most


def test_a_length_that_is_none_is_refused(server: Server) -> None:
    assert talk(server, b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: five\r\n\r\n").startswith(b"HTTP/1.1 400")


def test_it_stops_though_connections_are_open(server: Server) -> None:
    with socket.create_connection(("127.0.0.1", int(server.url.rpartition(":")[2])), timeout=10) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert connection.recv(1000)
        server.stop()
        assert connection.recv(1000) == b""


def test_a_port_is_taken_once(server: Server) -> None:
    with pytest.raises(PortTakenError, match=server.url.rpartition("/")[2]):
        Server(int(server.url.rpartition(":")[2]))


def test_it_listens_before_it_answers() -> None:
    server: Any = Server(0)
    with socket.create_connection(("127.0.0.1", int(server.url.rpartition(":")[2])), timeout=10):
        pass
    server.stop()
