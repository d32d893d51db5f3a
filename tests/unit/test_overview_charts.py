"""The overview's charts: what stands over a bar fits into its line."""

import re
from html import unescape

from chalicelib.pages import overview_charts

ROW = {"posts": 1_234_567, "posts_before": 7, "distinct_texts": 98_765}


def test_a_long_name_is_cut_so_that_it_does_not_run_into_its_numbers() -> None:
    name = "A disaster whose kind the text doesn't tell"
    drawn = overview_charts.compared([{**ROW, "name": name}, {**ROW, "name": "Flood"}], "kinds")
    texts = [unescape(text) for text in re.findall(r"<text[^>]*>([^<]*)</text>", drawn)]
    cut, numbers, whole, _ = texts
    assert cut.endswith("…") and name.startswith(cut[:-1]) and len(cut) + len(numbers) <= overview_charts.LINE
    assert whole == "Flood" and numbers.startswith("1,234,567 posts")
