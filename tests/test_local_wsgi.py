"""The HTTP server under the local AWS: whatever a client sends, the next one is answered."""

import socket
from collections.abc import Iterator
from typing import Any

import pytest
from werkzeug.wrappers import Request, Response

from local.wsgi import PortTakenError, Server


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
