"""X's stream and Mastodon's are read through throttling, drops, silence and rubbish; deletions are handed on."""

from __future__ import annotations

import itertools
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from unittest import mock

import httpx
import pytest
from botocore.exceptions import ClientError

import producer
from chalicelib.sources.posts import Deletion, Post, line
from local.network.generated import Generated
from local.network.http import TOKEN, HttpSource, Trouble, iso
from local.network.jetstream import Jetstream
from sources import bluesky, command, connection, mastodon, x
from sources.connection import FatalError, Item, Rubbish

NETWORK = Generated(rate=20)
NOON = 1_770_000_000.0
SPEED = 20.0  # seconds of the network in one of ours
EVERYTHING = [x.Rule("a OR e OR i OR o", "all")]


@pytest.fixture
def serve() -> Iterator[Callable[..., HttpSource]]:
    """Starts a server of the network whose time runs fast, with troubles; all end with the test."""
    began, servers = time.monotonic(), []

    def start(*troubles: Trouble, **how: Any) -> HttpSource:
        clock = lambda: NOON + (time.monotonic() - began) * SPEED  # noqa: E731
        server = HttpSource(NETWORK, clock=clock, troubles=list(troubles), keep_alive=0.05, **how)
        servers.append(server.__enter__())
        return server

    yield start
    for server in servers:
        server.__exit__()


class Said:
    """What a source was made to say and to wait."""

    def __init__(self) -> None:
        self.messages: list[str] = []
        self.waits: list[float] = []

    def read(
        self, connect: Callable[[], Iterator[Item]], posts: int, clock: Callable[[], float] = time.time
    ) -> list[Any]:
        """What the source tells until it has told so many posts."""
        found: list[Any] = []
        items = connection.items(connect, self.messages.append, self.waits.append, clock)
        for item in items:
            found += [item.said] if item.said else []
            if sum(isinstance(each, Post) for each in found) == posts:
                break
        items.close()  # type: ignore[attr-defined]
        return found


def stream_of_x(server: HttpSource, **how: Any) -> x.Stream:
    made = x.Stream(TOKEN, server.clock, server.url, keep_alive=0.5, **how)
    made.synchronise(EVERYTHING)
    return made


def ids(found: list[Any]) -> list[str]:
    return [each.tweet_id for each in found if isinstance(each, Post)]


# ------------------------------------------------------------------ both


@pytest.mark.parametrize("source", ["x", "mastodon"])
@pytest.mark.parametrize(
    ("trouble", "waits", "words"),
    [
        (Trouble(status=503), [5.0], "answered 503"),
        (Trouble(after=3), [], "connecting again"),
        (Trouble(after=3, then="silence"), [], "ReadTimeout"),
        (Trouble(after=0), [0.25], "No connection"),
    ],
)
def test_it_connects_again_and_waits_as_documented(
    serve: Callable[..., HttpSource], source: str, trouble: Trouble, waits: list[float], words: str
) -> None:
    server = serve(trouble)
    said = Said()
    made: Any = stream_of_x(server) if source == "x" else mastodon.Stream(server.url, TOKEN, keep_alive=0.5)
    found = said.read(made.connect, 10)
    assert len(ids(found)) == len(set(ids(found))) == 10
    assert said.waits == waits
    assert words in " ".join(said.messages) and len(server.connections) == 2


@pytest.mark.parametrize("source", ["x", "mastodon"])
def test_rubbish_is_passed_over(serve: Callable[..., HttpSource], source: str) -> None:
    server = serve(Trouble(after=4, then="rubbish"))
    made: Any = stream_of_x(server) if source == "x" else mastodon.Stream(server.url, TOKEN, keep_alive=0.5)
    found = Said().read(made.connect, 8)
    assert len(ids(found)) == 8 and sum(isinstance(each, Rubbish) for each in found) >= 1
    assert len(server.connections) == 1


@pytest.mark.parametrize("source", ["x", "mastodon"])
def test_a_limit_is_waited_for_until_its_reset(serve: Callable[..., HttpSource], source: str) -> None:
    reset = ("x-rate-limit-reset", str(int(NOON + 400))) if source == "x" else ("X-RateLimit-Reset", iso(NOON + 400))
    server = serve(Trouble(status=429, headers=(reset,)), Trouble(status=429), Trouble(status=429))
    said = Said()
    made: Any = stream_of_x(server) if source == "x" else mastodon.Stream(server.url, TOKEN, keep_alive=0.5)
    said.read(made.connect, 1, lambda: NOON)
    assert said.waits == [400.0, 120.0, 240.0]
    assert "400.00 s" in said.messages[0]


@pytest.mark.parametrize("source", ["x", "mastodon"])
def test_a_wrong_key_ends_it_and_is_not_repeated(serve: Callable[..., HttpSource], source: str) -> None:
    server = serve()
    made: Any = x.Stream("s3cret", server.clock, server.url) if source == "x" else mastodon.Stream(server.url, "s3cret")
    with pytest.raises(FatalError, match=r"401.*TOKEN") as caught:
        Said().read(made.connect, 1)
    assert "s3cret" not in str(caught.value)


def test_the_waits_grow_and_are_bounded() -> None:
    assert [connection.wait("network", n) for n in (1, 2, 64, 1000)] == [0.25, 0.5, 16.0, 16.0]
    assert [connection.wait("http", n) for n in (1, 2, 7, 100)] == [5.0, 10.0, 320.0, 320.0]
    assert [connection.wait("limited", n) for n in (1, 2, 9)] == [60.0, 120.0, 900.0]


def test_a_server_that_is_not_there_is_tried_again_ever_less_often() -> None:
    said = Said()

    def stop(seconds: float) -> None:
        said.waits.append(seconds)
        if len(said.waits) == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        list(connection.items(mastodon.Stream("http://127.0.0.1:9").connect, said.messages.append, stop))
    assert said.waits == [0.25, 0.5, 0.75] and "ConnectError" in said.messages[0]


# ------------------------------------------------------------------ X


def test_rules_are_made_those_of_the_file(serve: Callable[..., HttpSource], tmp_path: Path) -> None:
    server = serve()
    file = tmp_path / "rules.json"
    stream = x.Stream(TOKEN, server.clock, server.url)
    for n in range(150):
        server.rules[str(n)] = {"value": f"old {n}"}
    wanted = [{"value": "flood", "tag": "water"}, {"value": '"forest fire" lang:en'}, {"value": "old 120"}]
    file.write_text(json.dumps(wanted))
    assert stream.synchronise(x.read_rules(file)) == (2, 149)
    assert [*server.rules.values()][-2:] == wanted[:2] and len(server.rules) == 3
    assert stream.synchronise(x.read_rules(file)) == (0, 0)
    with pytest.raises(FatalError, match='Invalid Rule: "open'):
        stream.synchronise([x.Rule('"open')])
    for content in ("", "{}", "[]", '[{"tag":"x"}]', '[{"value":""}]', '[{"value":5}]', "[1]"):
        file.write_text(content)
        with pytest.raises(FatalError, match="rules"):
            x.read_rules(file)


def test_backfill_makes_up_for_a_drop_and_what_comes_twice_has_the_same_bytes(serve: Callable[..., HttpSource]) -> None:
    server = serve(Trouble(after=30))
    found = Said().read(stream_of_x(server, backfill=5).connect, 1400)
    assert [each.get("backfill_minutes") for each in server.connections] == [None, ["1"]]
    posts = [each for each in found if isinstance(each, Post)]
    assert len({post.tweet_id for post in posts}) == len({line(post) for post in posts}) < len(posts)


def test_xs_notice_is_told_and_the_connection_made_again(serve: Callable[..., HttpSource]) -> None:
    server = serve(Trouble(after=2, then="notice"))
    said = Said()
    assert len(ids(said.read(stream_of_x(server).connect, 5))) == 5
    assert "operational-disconnect: maintenance" in said.messages[0] and said.waits == []


def test_a_tweet_brings_its_whole_text_its_pictures_and_what_it_quotes() -> None:
    tweet = {
        "id": "20",
        "author_id": "7",
        "text": "Water in the streets…",
        "note_tweet": {"text": "Water in the streets of the old town"},
        "created_at": "2026-01-02T03:04:05.000Z",
        "lang": "en",
        "referenced_tweets": [{"type": "quoted", "id": "19"}, {"type": "replied_to", "id": "18"}],
    }
    includes = {
        "users": [{"id": "6"}, {"id": "7", "location": "Padang"}],
        "media": [{"alt_text": "A boat on Main Street"}, {}],
        "tweets": [{"id": "18", "text": "hello"}, {"id": "19", "text": "Flood warning"}],
    }
    rules = [{"id": "2", "tag": "water"}, {"id": "1", "tag": "flood"}, {"id": "3"}]
    assert x.parse(json.dumps({"data": tweet, "includes": includes, "matching_rules": rules})) == Post(
        "x",
        "20",
        "7",
        "Water in the streets of the old town\nA boat on Main Street\nFlood warning",
        "2026-01-02T03:04:05.000Z",
        ("en",),
        "Padang",
        "flood",
    )


def test_a_line_ends_where_x_ends_it_and_nowhere_else() -> None:
    """Texts contain U+2028 and U+0085, at which Python's `splitlines` would end one."""
    text = "flood\u2028warning\x85 now"
    data = json.dumps({"data": {"id": "1", "author_id": "2", "text": text}}, ensure_ascii=False).encode() + b"\r\n"
    chunks = [data[:20], data[20:31], data[31:] + b"\r\n" + b"y" * (x.MOST_LINE + 1), b"\n" + data]
    said = [x.parse(line) for line in x._lines(httpx.Response(200, content=iter(chunks))) if line.strip()]
    assert [isinstance(each, Post) and each.text for each in said] == [text, False, text]


def test_the_price_is_said() -> None:
    assert "0.005 USD" in x.cost(1000) and "1,000 posts, 5.00 USD" in x.cost(1000)


# ------------------------------------------------------------------ Mastodon

STATUS: dict[str, Any] = {
    "id": "11",
    "created_at": "2026-01-02T03:04:05.000Z",
    "visibility": "public",
    "language": "fr",
    "spoiler_text": "inondation",
    "content": '<p>La rivi&egrave;re<br>déborde <a href="https://x"><span>#Nîmes</span></a></p><p>Restez chez vous</p>',
    "account": {"acct": "ana@other.example", "noindex": False},
    "media_attachments": [{"description": "Une rue sous l'eau"}, {"description": None}],
    "quote": {"quoted_status": {"content": "<p>Alerte rouge</p>"}},
}


def test_a_status_becomes_plain_text_with_its_warning_pictures_and_quote() -> None:
    found = mastodon.parse("m.example", "update", json.dumps(STATUS))
    assert found == Post(
        "mastodon",
        "m.example/11",
        "ana@other.example",
        "inondation\nLa rivière\ndéborde #Nîmes\nRestez chez vous\nUne rue sous l'eau\nAlerte rouge",
        "2026-01-02T03:04:05.000Z",
        ("fr",),
    )
    assert mastodon.parse("m.example", "status.update", json.dumps(STATUS)) == found
    here = mastodon.parse("m.example", "update", json.dumps({**STATUS, "account": {"acct": "bo"}}))
    assert isinstance(here, Post) and here.user_id == "bo@m.example"


def test_what_is_not_for_everybody_stays_there() -> None:
    for changed in ({"visibility": "private"}, {"reblog": {"id": "5"}}, {"account": {"acct": "a", "noindex": True}}):
        assert mastodon.parse("m.example", "update", json.dumps({**STATUS, **changed})) is None
    assert mastodon.parse("m.example", "notification", "{}") is None


def test_a_deletion_names_the_status_as_its_row_does(serve: Callable[..., HttpSource]) -> None:
    assert mastodon.parse("m.example", "delete", "11") == Deletion("m.example/11", "")
    server = serve()
    found = Said().read(mastodon.Stream(server.url, TOKEN, keep_alive=0.5).connect, 100)
    deleted = [each.tweet_id for each in found if isinstance(each, Deletion)]
    assert deleted and all(each.startswith("127.0.0.1:") for each in deleted)


# ------------------------------------------------------------------ the command


class World:
    """What the command hands on."""

    def __init__(self) -> None:
        self.lines: list[dict[str, Any]] = []
        self.deleted: list[str] = []
        self.kept: list[int] = []
        self.order: list[str] = []

    def put(self, lines: Any) -> None:
        self.order.append("put")
        self.lines += map(json.loads, lines)

    def erase(self, tweet_ids: Any, user_ids: Any) -> None:
        self.order.append("erase")
        self.deleted += [*tweet_ids, *user_ids]

    def keep(self, position: int) -> None:
        self.order.append("keep")
        self.kept.append(position)

    def forward(self, items: Any, **how: Any) -> command.Totals:
        totals = command.Totals()
        command.forward(iter(items), lambda post: "no" not in post.text, self.put, self.erase, self.keep, totals, **how)
        return totals


def post(number: int, text: str = "flood") -> Item:
    return Item(Post("x", str(number), "u", text, None, ()), number)


def test_posts_are_put_deletions_handed_on_and_only_then_the_position_kept() -> None:
    here = World()
    said = [post(1), post(2, "no"), Item(Deletion("d", "")), Item(Deletion("", "u")), Item(Rubbish("?")), Item(None, 9)]
    totals = here.forward(said)
    assert (totals.read, totals.forwarded, totals.deletions, totals.rubbish) == (2, 1, 2, 1)
    assert ([each["tweet_id"] for each in here.lines], here.deleted, here.kept) == (["1"], ["d", "u"], [9])
    assert here.order == ["put", "erase", "keep"]


def test_it_ends_at_its_cap_and_reads_no_further() -> None:
    here, read = World(), []
    totals = here.forward((read.append(n) or post(n) for n in itertools.count(1)), cap=5)
    assert totals.read == len(here.lines) == 5


def test_a_post_does_not_wait_for_others_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "FLUSH_SECONDS", 0.05)
    here, go_on = World(), threading.Event()

    def items() -> Iterator[Item]:
        yield post(1)
        go_on.wait(10)

    ending = threading.Thread(target=here.forward, args=(items(),))
    ending.start()
    deadline = time.monotonic() + 10
    while not here.lines and time.monotonic() < deadline:
        time.sleep(0.01)
    assert here.kept == [1]
    go_on.set()
    ending.join(10)


def test_what_was_read_before_an_error_is_safe() -> None:
    here = World()

    def items() -> Iterator[Item]:
        yield post(1)
        raise FatalError("no more")

    with pytest.raises(FatalError, match="no more"):
        here.forward(items())
    assert here.kept == [1]


def test_bluesky_goes_on_from_its_file_and_reads_what_the_function_reads(tmp_path: Path) -> None:
    state = tmp_path / "bluesky.cursor"
    now = [NOON]
    with Jetstream(NETWORK, clock=lambda: now[0]) as server:

        def read(count: int) -> list[Item]:
            source = bluesky.Stream(server.url, state, lambda: now[0], lambda _: None)
            found = []
            events = source.connect()
            for item in events:
                found += [item] if isinstance(item.said, Post) else []
                if len(found) == count:
                    source.keep(item.position)
                    break
            events.close()  # type: ignore[attr-defined]
            return found

        first, second = read(300), read(300)
        assert first[-1] == second[0]  # told again, and collapsed by its key
        assert first[0].position >= (NOON - 60) * 1e6
        state.write_text("{")
        with pytest.raises(FatalError, match="damaged"):
            read(1)


def run(*arguments: str, **environment: str) -> tuple[int, mock.Mock, mock.Mock]:
    stream, erased = mock.Mock(), mock.Mock()
    stream.put.side_effect = lambda records: []
    with (
        mock.patch.object(producer, "stream_of", lambda _: stream),
        mock.patch("chalicelib.erasures.requests.put", erased),
        mock.patch.dict("os.environ", environment),
    ):
        return producer.main([*arguments, "--stream", "disaster-tweets-local"]), stream, erased


def test_the_producer_reads_x_up_to_its_cap(
    serve: Callable[..., HttpSource], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    server = serve()
    rules = tmp_path / "rules.json"
    rules.write_text(json.dumps([rule._asdict() for rule in EVERYTHING]))
    x_of = ("--source", "x", "--api", server.url, "--rules", str(rules))
    status, stream, _ = run(*x_of, "--cap", "25", X_BEARER_TOKEN=TOKEN)
    said = capsys.readouterr().err
    records = [record for call in stream.put.call_args_list for record in call.args[0]]
    assert status == 0 and sum(record.tweets for record in records) == 25, said
    assert said.index("0.005 USD") < said.index("1 rules, 1 added") < said.index("25 posts read")
    assert "Bearer" not in said
    first = json.loads(records[0].data.splitlines()[0])
    assert (first["source"], first["source_keyword"], first["location"]) == ("x", "all", "Here")
    with suppress(SystemExit):
        assert run(*x_of, X_BEARER_TOKEN=TOKEN)[0] == 2
    assert "--cap" in capsys.readouterr().err
    status, _, _ = run(*x_of, "--cap", "5", X_BEARER_TOKEN="")
    assert status == 2 and "bearer token" in capsys.readouterr().err


def test_what_was_read_and_is_refused_for_good_is_kept(
    serve: Callable[..., HttpSource], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    server, unsent = serve(), tmp_path / "left.ndjson"
    denied = ClientError({"Error": {"Code": "AccessDeniedException", "Message": "no"}}, "PutRecordBatch")
    with mock.patch.object(producer, "put_with_retries", side_effect=denied):
        status, _, _ = run(
            *("--source", "mastodon", "--server", server.url, "--forward", "everything", "--cap", "30"),
            *("--unsent", str(unsent)),
            MASTODON_TOKEN=TOKEN,
        )
    assert status == 2 and "They" not in (said := capsys.readouterr().err) and "kept in" in said
    kept = [json.loads(line) for line in producer.read(unsent)]
    assert len(kept) == 30 and {each["source"] for each in kept} == {"mastodon"}


def test_the_producer_reads_mastodon_and_hands_deletions_on(serve: Callable[..., HttpSource]) -> None:
    server = serve()
    status, stream, erased = run(
        "--source=mastodon", "--server", server.url, "--forward", "everything", "--cap", "150", MASTODON_TOKEN=TOKEN
    )
    assert status == 0 and stream.put.call_args_list
    assert erased.call_args.args[2] == "mastodon" and erased.call_args.args[0]


@pytest.mark.parametrize("value", ['{"token": "abc"}', "abc"])
def test_the_key_may_be_in_a_secret(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    client = mock.Mock()
    client.return_value.get_secret_value.return_value = {"SecretString": value}
    monkeypatch.setattr("boto3.client", client)
    monkeypatch.setenv("X_BEARER_TOKEN", "other")
    assert command.key("x", "x-key") == "abc"
    client.return_value.get_secret_value.assert_called_with(SecretId="x-key")
    assert command.key("x", None) == "other"


def test_it_ends_while_it_waits() -> None:
    stopping = threading.Event()
    stopping.set()
    assert not list(connection.items(mastodon.Stream("http://127.0.0.1:9").connect, print, stopping.wait))
