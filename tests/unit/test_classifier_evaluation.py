"""Versions are compared on the same tweets, and a difference is told from chance."""

from html.parser import HTMLParser
from typing import Any

import pytest

from chalicelib.comprehend import evaluation, scores
from chalicelib.comprehend.labelled import Document
from chalicelib.pages import evaluation as evaluation_page

TRUE = ["flood"] * 6 + ["storm"] * 3 + ["not_disaster"] * 3
ONE = ["flood"] * 5 + ["storm"] * 4 + ["not_disaster"] * 3
OTHER = ["flood"] * 2 + ["haze"] * 4 + ["storm"] * 3 + ["not_disaster"] * 2 + ["flood"]


def test_scores_are_those_of_scikit_learn_over_the_labels_of_the_file() -> None:
    from sklearn.metrics import f1_score, precision_score, recall_score  # slow to import

    labels = sorted(set(TRUE))
    ours = scores.scores(TRUE, OTHER)
    assert ours["right"] == 7
    assert ours["accuracy"] == pytest.approx(7 / 12)
    for name, theirs in (("precision", precision_score), ("recall", recall_score), ("f1", f1_score)):
        assert ours[f"{name}_macro"] == pytest.approx(
            theirs(TRUE, OTHER, labels=labels, average="macro", zero_division=0)
        )


def test_only_tweets_that_every_version_answered_are_scored() -> None:
    compared = scores.compare(TRUE, {"a": [None, *ONE[1:]], "b": [*OTHER[:11], None]})
    assert compared["scored"] == 10
    assert [(v["version"], v["answered"], v["right"]) for v in compared["versions"]] == [("a", 11, 9), ("b", 11, 6)]


def test_the_interval_is_wilsons() -> None:
    low, high = scores.wilson(81, 263)  # the example of Newcombe 1998, doi:10.1002/(SICI)1097-0258(19980430)17:8
    assert (round(low, 4), round(high, 4)) == (0.2553, 0.3662)
    assert scores.wilson(0, 0) == (0.0, 1.0)


def test_a_difference_is_tested_on_the_tweets_only_one_gets_right() -> None:
    given = {"a": ["x"] * 10 + ["y"] * 2, "b": ["y"] * 10 + ["x"] * 2}
    pair = scores.paired(["x"] * 12, given, "a", "b")
    assert (pair["only_a_right"], pair["only_b_right"]) == (10, 2)
    assert pair["p"] == pytest.approx(2 * (1 + 12 + 66) / 2**12)  # binomial, by hand
    assert scores.paired(["x"], {"a": ["x"], "b": ["x"]}, "a", "b")["p"] == 1.0


def test_a_sample_is_the_same_whatever_the_order() -> None:
    documents = [Document(i, "flood", f"text {i}") for i in range(100)]
    drawn = evaluation.sample(documents, 10)
    assert len(drawn) == 10
    assert evaluation.sample(documents[::-1], 10) == drawn
    assert len(evaluation.sample(documents[:5], 10)) == 5


def report() -> dict[str, Any]:
    compared = scores.compare(TRUE, {"bundled-1": list(ONE), "<b>mine": list(OTHER)})
    for version in compared["versions"]:
        version["usd_a_day"] = 43.2
    return {"data": "s3://b/<k>", "head": "kind", "documents": 12, "sampled": 12, "skipped": 0, **compared}


class Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.text = ""
        self.seen: set[str] = set()

    def handle_starttag(self, tag: str, attributes: Any) -> None:
        self.seen.add(tag)
        if tag not in ("meta", "rect", "path"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in ("rect", "path"):
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def test_the_page_says_the_same_without_scripts_and_escapes_what_it_shows() -> None:
    html = evaluation_page.render(report(), "20260101T000000Z-abcdef")
    page = Page()
    page.feed(html)
    assert page.open == [] and "script" not in page.seen and "b>mine" not in page.seen
    assert "<b>mine: 58.3%" in page.text and "s3://b/<k>" in page.text
    assert (
        "bundled-1 alone is right on 4 tweets, <b>mine alone on 0: which may be chance (McNemar, p = 0.125)"
        in page.text
    )
    assert "http" not in html.replace("http-equiv", "")


def test_the_page_says_what_the_better_one_costs() -> None:
    usd = {"bundled-1": 0.0, "mine": 86.4, "other": 0.0}
    assert evaluation_page.price("mine", "bundled-1", usd) == "mine costs 86.40 USD a day more."
    assert evaluation_page.price("bundled-1", "mine", usd) == "bundled-1 costs 86.40 USD a day less."
    assert evaluation_page.price("other", "bundled-1", usd) == "Both cost the same."


def test_the_page_leaves_out_labels_that_the_file_has_not() -> None:
    html = evaluation_page.render(report(), "20260101T000000Z-abcdef")
    assert "storm" in html and "haze" not in html  # answered by one of them alone
