"""What each part of the report's page says, word for word: an operator reads it at night and acts on it."""

from __future__ import annotations

import re
from typing import Any

import pytest

from chalicelib.pages import charts
from chalicelib.pages import reconciliation as page
from tests.support.page_parts import part

TWEETS = {"expected": 12_345, "loaded": 12_000, "waiting": 1, "late": 0, "repaired": 0, "lost": 2000}
REPORT: dict[str, Any] = {
    "verdict": "trouble",
    "as_of": "2026-01-31T10:24:38Z",
    "repair": False,
    "warehouse": {"woken": True, "why": "asked for"},
    "new": {"loaded": 0},
    "grace_seconds": 900,
    "looked_at": {"from": "2026-01-31T08:00:00Z", "to": "2026-01-31T10:00:00Z", "hours": 3, "list_requests": 1},
    "tweets": TWEETS,
    "files": {"listed": 1234, "unreadable": 1, "orphaned": 2},
    "repairs": {"transactions": 2, "files": 1, "left_files": 3, "stopped": "Time is up"},
}
SUMMARY = (
    "2,000 tweets can't be put back. 1 file can't be read. 2 files are gone whose rows are in the warehouse. "
    "1 file had to be loaded again. 3 files are left to the next run. This run compared only; it did not repair. "
    "1 tweet is on the way. Repairs stopped: Time is up."
)


def lines(html: str) -> list[str]:
    return html.replace("><", ">\n<").splitlines()


def section(title: str, content: str, kind: str = "") -> str:
    return f'<section class="{kind}"><h2>{title}</h2>{content}</section>'


def note(text: str) -> str:
    return f'<p class="note">{text}</p>'


def test_the_header_says_what_happened_and_in_which_hours() -> None:
    said = SUMMARY.replace("'", "&#39;")
    start = f'<header class="trouble"><h1>A &amp; B</h1><p>{said}</p>'
    looked = (
        "Looked at 3 hours of tweet files, 2026-01-31 08:00 to 2026-01-31 10:24 UTC; as of 2026-01-31 10:24:38 UTC."
    )
    assert part("header", REPORT, title="A & B") == f"{start}{note(looked)}</header>"
    nothing = {**REPORT, "looked_at": {**REPORT["looked_at"], "from": None, "to": None}}
    assert part("header", nothing, title="A & B") == (
        f"{start}{note('No hour was due; as of 2026-01-31 10:24:38 UTC.')}</header>"
    )


def test_the_summary_names_only_what_there_is() -> None:
    assert page.summary(REPORT) == SUMMARY
    well = {
        "tweets": {"lost": 0, "waiting": 0},
        "files": {"unreadable": 0, "orphaned": 0, "listed": 1234},
        "repairs": {"files": 0, "left_files": 0, "stopped": None},
        "repair": True,
        "warehouse": {"woken": True},
        "new": {"loaded": 0},
    }
    assert page.summary(well) == "1,234 tweet files compared, nothing had to be done."
    assert page.summary({**well, "files": {**well["files"], "listed": 1}}).startswith("1 tweet file compared,")  # type: ignore[dict-item]
    assert page.summary({**well, "new": {"loaded": 1200}}) == "1,200 tweets are loaded for the first time."
    assert page.summary({**well, "tweets": {"lost": 1, "waiting": 2}}) == (
        "1 tweet can't be put back. 2 tweets are on the way."
    )


def test_what_is_lost_or_was_late_stands_out_among_the_numbers() -> None:
    def tile(number: str, words: str, tone: str = "") -> str:
        return f'<div class="{tone}"><b>{number}</b><span>{words}</span></div>'

    assert part("tiles", REPORT) == (
        f'<div class="tiles">{tile("12,345", "tweets in files")}{tile("12,000", "found loaded")}'
        f"{tile('1', 'on the way')}{tile('0', 'late')}{tile('0', 'repaired')}{tile('2,000', 'lost', 'alarm')}</div>"
    )
    late = part("tiles", {"tweets": {**TWEETS, "late": 5, "lost": 0}})
    assert tile("5", "late", "mended") in late
    assert tile("0", "lost") in late


def finding(state: str = "partial", action: str = "none", detail: str | None = None, **told: Any) -> dict[str, Any]:
    counts = {"expected_rows": 5, "found_rows": 4, "found_lines": 4}
    return {"state": state, "action": action, "detail": detail, "s3_key": "tweets/x", **counts, **told}


@pytest.mark.parametrize(
    ("state", "action", "done", "to_do"),
    [
        ("missing", "none", "reported", 'Let a run repair it: POST /reconciliations with {"repair": true}.'),
        ("missing", "to_repair", '<span class="tag warn">the next run loads it</span>', "Nothing."),
        ("excess", "repaired", '<span class="tag good">loaded again</span>', "Nothing."),
        (
            "partial", "failed", '<span class="tag bad">could not be loaded</span>',
            "Fix the cause that the reason names; each run tries again.",
        ),
        (
            "orphaned", "none", "reported; orphans are never deleted",
            "Restore the file (the bucket keeps earlier versions), or replay its hour.",
        ),
        ("orphaned", "resolved", "reported; orphans are never deleted", "Nothing."),
        (
            "unreadable", "none", "unchanged since it was found unreadable",
            "Restore an earlier version of the file, or replay its hour.",
        ),
        (
            "unreadable", "failed", '<span class="tag bad">could not be loaded</span>',
            "Restore an earlier version of the file, or replay its hour.",
        ),
        ("partial", "resolved", "accepted as it is", "Nothing."),
    ],
)  # fmt: skip
def test_of_each_file_it_is_said_what_was_done_and_what_to_do(state: str, action: str, done: str, to_do: str) -> None:
    each = finding(state, action)
    assert f'<td data-name="what was done"><span>{done}</span></td>' in part("findings", {"findings": [each]})
    assert page.to_do(each) == to_do
    detail = '<br><span class="note">&lt;why&gt;</span>'
    assert f"<span>{done}{detail}</span>" in part("findings", {"findings": [{**each, "detail": "<why>"}]})


def test_files_in_trouble_are_a_table_the_most_urgent_first() -> None:
    nothing = section("Files in trouble", note("None."))
    assert part("findings", {"findings": []}) == nothing
    assert part("findings", {"findings": [finding("unanswered")]}) == nothing
    files = [finding("excess", "repaired", s3_key=None), finding("orphaned", "none"), finding("partial", "failed")]
    shown = part("findings", {"findings": files})
    row = '<tr><td data-name="state">{}</td><td data-name="file"><code>{}</code></td><td data-name="found">{}</td>'
    tag = '<span class="tag {}">{}</span>'
    rows = [
        row.format(tag.format("warn", "partial"), "tweets/x", "4 of 5 lines"),
        row.format(tag.format("bad", "orphaned"), "tweets/x", "4 rows of no file"),
        row.format(tag.format("warn", "excess"), "(no key)", "4 of 5 lines"),
    ]
    assert [shown.index(each) for each in rows] == sorted(shown.index(each) for each in rows)
    assert shown.startswith(
        '<section class="long"><h2>Files in trouble</h2><table class="wide"><thead><tr><th>state</th><th>file</th>'
        "<th>found</th><th>what was done</th><th>what to do</th></tr></thead><tbody>"
    )
    assert "more in the JSON" not in shown
    assert part("findings", {"findings": [finding("missing")] * 100}).count("<tr>") == 101
    many = part("findings", {"findings": [finding("missing"), finding("unreadable")] * 600})
    assert many.count("<tr>") == 101
    assert many.endswith(f"{note('1,100 more in the JSON and in disaster.reconciliation_finding.')}</section>")


@pytest.mark.parametrize(
    ("state", "tone"),
    [
        ("new", "warn"), ("missing", "warn"), ("partial", "warn"), ("excess", "warn"), ("orphaned", "bad"),
        ("unreadable", "bad"), ("another", ""),
    ],
)  # fmt: skip
def test_a_state_has_the_colour_of_its_weight(state: str, tone: str) -> None:
    assert f'<span class="tag {tone}">{state}</span>' in part("findings", {"findings": [finding(state)]})


def test_what_needs_a_person_is_a_list_with_why_what_to_do_and_how_to_accept_it() -> None:
    one = {
        "finding_id": "f1", "s3_key": "tweets/<x>", "kind": "unreadable", "tweets": 1, "detail": "it's cut",
        "to_do": "Restore it & look.",
    }  # fmt: skip
    other = {**one, "finding_id": "f2", "s3_key": None, "tweets": 0, "detail": None}
    accept = (
        "<br><b>Do:</b> Restore it &amp; look."
        '<br><span class="note">To accept it as it is: <code>POST /findings/{}/resolve</code></span></li>'
    )
    tag = '<li><span class="tag bad">unreadable</span>'
    items = (
        f"{tag} <code>tweets/&lt;x&gt;</code><br>1 tweet is in no row."
        f'<br><span class="note">it&#39;s cut</span>{accept.format("f1")}'
        f"{tag} <code>(no key)</code>{accept.format('f2')}"
    )
    for findings, more in ((2, ""), (1203, note("1,201 more: <code>GET /findings</code> has all."))):
        said = part("needs", {"outstanding": {"findings": findings, "shown": [one, other]}})
        assert lines(said) == lines(section("Needs a person", f"<ul>{items}</ul>{more}", "needs"))
    assert part("needs", {"outstanding": {"findings": 0, "shown": []}}) == ""


def cells(**named: str) -> str:
    return "<tr>" + "".join(f'<td data-name="{n.replace("_", " ")}">{cell}</td>' for n, cell in named.items()) + "</tr>"


def number(text: str) -> str:
    return f'<span class="n">{text}</span>'


def test_records_without_an_answer_are_told_with_why_and_how_to_bring_them_back() -> None:
    shown = [
        {"s3_key": "k<1>", "error_codes": {"X": 1200, "Z": 1}, "trouble": None, "tweets": 1500, "lost": 1000},
        {"s3_key": "k2", "error_codes": {}, "trouble": "it's cut", "tweets": 0, "lost": 0},
        {"s3_key": "k3", "error_codes": {}, "trouble": None, "tweets": 0, "lost": 0},
    ]
    rows = (
        cells(file="<code>k&lt;1&gt;</code>", why="X (1,200), Z (1)", tweets=number("1,500"), in_no_row=number("1,000"))
        + cells(file="<code>k2</code>", why="it&#39;s cut", tweets=number("0"), in_no_row=number("0"))
        + cells(file="<code>k3</code>", why="", tweets=number("0"), in_no_row=number("0"))
    )
    head = "<tr><th>file</th><th>why</th><th>tweets</th><th>in no row</th></tr>"
    what = note(
        "Firehose kept these records. To load their tweets that are in no row, send them again: "
        "docs/operations.md, “What Firehose gave up”."
    )
    table = f'<table class="wide"><thead>{head}</thead><tbody>{rows}</tbody></table>'
    said = part("unanswered", {"unanswered": {"shown": shown}})
    assert lines(said) == lines(section("Records without an answer", what + table, "long"))
    assert part("unanswered", {"unanswered": {"shown": []}}) == ""


def test_what_was_refused_is_told_by_reason_with_examples() -> None:
    rejected: dict[str, Any] = {
        "tweets": 2001,
        "files": 1,
        "unread_tweets": 1000,
        "reasons": [{"reason": "not_json", "tweets": 1001}],
        "samples": [{"reason": "not_json", "message": "no <JSON>", "s3_key": "rejected/x", "line": 1234}],
    }
    head = "<tr><th>reason</th><th>tweets</th></tr>"
    rows = cells(reason="<code>not_json</code>", tweets=number("1,001")) + cells(
        reason="not read", tweets=number("1,000")
    )
    table = f'<table class=""><thead>{head}</thead><tbody>{rows}</tbody></table>'
    sample = '<code>not_json</code> no &lt;JSON&gt;<br><code class="note">rejected/x</code>, line 1,234'
    content = note("2,001 tweets in 1 file under rejected/.") + table + f"<p>For example:</p><ul><li>{sample}</li></ul>"
    assert lines(part("refused", {"rejected": rejected})) == lines(section("Refused, by reason", content, "long"))
    without = {**rejected, "unread_tweets": 0}
    del without["samples"]
    said = part("refused", {"rejected": without})
    assert "not read" not in said
    assert said.endswith("</table></section>")
    assert part("refused", {"rejected": {**rejected, "tweets": 0}}) == ""


def test_what_idles_and_costs_is_told_with_what_ends_it() -> None:
    head = "<tr><th>version</th><th>idle for</th><th>spent</th><th>ends it</th></tr>"
    row = cells(
        version="<code>v&lt;1&gt;</code>",
        idle_for=number("2 h"),
        spent=number("1,234.50 USD"),
        ends_it="<code>DELETE /classifier/versions/v&lt;1&gt;/endpoint</code>",
    )
    table = f'<table class="wide"><thead>{head}</thead><tbody>{row}</tbody></table>'
    said = part("idle", {"idle_endpoints": [{"version": "v<1>", "idle_seconds": 7200, "cost_usd": 1234.5}]})
    assert lines(said) == lines(section("Idle Comprehend endpoints", table))
    unknown = note("Not known; the log says why.")
    assert part("idle", {"idle_endpoints": None}) == section("Idle endpoints", unknown)
    assert part("idle", {"idle_endpoints": []}) == ""


def test_what_else_was_seen_is_a_list() -> None:
    twice = "<li>2 tweets came more than once; the view <code>disaster.tweet</code> shows each once.</li>"
    given_up = "<li>Firehose gave up on 1 manifest; what they were to load is compared here all the same.</li>"
    foreign = "<li>{} under tweets/ whose names are no tweet files': <code>{}</code></li>"

    def seen(tweets: int, manifests: int, *keys: str) -> str:
        return part(
            "remarks", {"twice": {"tweets": tweets}, "given_up": {"manifests": manifests}, "foreign_objects": [*keys]}
        )

    every = twice + given_up + foreign.format("4 objects", "a&lt;, b, c")
    assert seen(2, 1, "a<", "b", "c", "d") == section("Also seen", f"<ul>{every}</ul>")
    assert seen(0, 0, "a") == section("Also seen", f"<ul>{foreign.format('1 object', 'a')}</ul>")
    assert seen(2, 0) == section("Also seen", f"<ul>{twice}</ul>")
    assert seen(0, 0) == ""


def test_the_footer_says_what_the_run_took() -> None:
    said = "1,234 files listed with 1 request, 2 repair transactions, grace period 15 min."
    assert part("footer", REPORT, "job<1>") == f'<footer class="note">Reconciliation job&lt;1&gt;: {said}</footer>'


def test_a_page_is_a_document_of_its_own_for_any_screen() -> None:
    quiet: dict[str, Any] = {
        "outstanding": {"findings": 0, "shown": []}, "findings": [], "unanswered": {"shown": []}, "hours": [],
        "kinds": [], "rejected": {"tweets": 0}, "idle_endpoints": [], "twice": {"tweets": 0},
        "given_up": {"manifests": 0}, "foreign_objects": [],
    }  # fmt: skip
    told = {**REPORT, **quiet}
    html = page.render(told, "job")
    assert html.startswith("<!doctype html>") and "<title>Something needs a person</title>" in html
    assert 'name="viewport"' in html and 'content="light dark"' in html
    assert not re.search(r"<(script|link|img|iframe)|url\(|@import|https?://(?!www\.w3\.org/)", html), "loads nothing"
    heads = ["Files in trouble", "Hours and their state", "Tweets an hour", "From arrival to load", "Kinds of disaster"]
    assert re.findall(r"<h2>(.*?)</h2>", html) == heads
    assert html.index("</header>") < html.index('class="tiles"') < html.index("<main>") < html.index("<footer")
    titles = {
        "well": "Every tweet is in the warehouse",
        "repaired": "Every tweet is in the warehouse again",
        "differs": "Some tweets are still to be loaded",
    }
    for verdict, title in titles.items():
        said = page.render({**told, "verdict": verdict}, "job")
        assert f"<title>{title}</title>" in said and f"<h1>{title}</h1>" in said


def test_charts_stand_with_what_their_colours_mean() -> None:
    told = {"hours": [], "kinds": [{"name": "flood", "tweets": 2, "relevant": 1}]}

    def drawn(title: str, chart: str, *key: tuple[str, str]) -> str:
        return section(title, chart + charts.legend(key))

    assert part("strip", told) == drawn(
        "Hours and their state",
        charts.strip([]),
        ("settled", "all there"),
        ("open", "still filling"),
        ("repaired", "repaired"),
        ("troubled", "in trouble"),
        ("empty", "no tweets"),
    )
    loaded = (("bar", "loaded"), ("open", "on the way"), ("absent", "not there"))
    assert part("arrivals", told) == drawn("Tweets an hour", charts.arrivals([]), *loaded)
    mean = (("bar", "mean"), ("range", "longest; a repair counts as a load"))
    assert part("lag", told) == drawn("From arrival to load", charts.lag([]), *mean)
    real = (("bar", "of a real disaster"), ("weak", "not"))
    assert part("kinds", told) == drawn("Kinds of disaster", charts.kinds(told["kinds"]), *real)
    assert part("kinds", {"kinds": []}) == section("Kinds of disaster", note("No row in the hours looked at."))
