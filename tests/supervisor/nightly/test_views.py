"""Nights are shown from their nightly.json alone: page, difference, trend, formula (seed 004)."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from actors.nightly_observer.lint import findings
from schemas.dream_seeds import SEED_TYPES
from supervisor.cli import run_cli
from supervisor.home import Home
from supervisor.nightly.explaining import RULES, draw_explained, explain
from supervisor.nightly.trending import sparkline
from tests.supervisor.nightly.written_nights import anchor, dreamt, expire, line, write_night


class Nights:
    """A home with nights, and the command line."""

    def __init__(self, home: Home, capsys: pytest.CaptureFixture[str]) -> None:
        self.home = home
        self._capsys = capsys

    def run(self, *words: str) -> tuple[int, str]:
        code = run_cli(["nightly", *words, "--home", str(self.home.root)])
        told = self._capsys.readouterr()
        return code, told.out + told.err

    def tree(self, *words: str) -> Any:
        return json.loads(self.run(*words, "--json")[1])


@pytest.fixture
def nights(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Nights:
    return Nights(Home(tmp_path / "home"), capsys)


class Page(HTMLParser):
    """Tags that are open or stray, and what is linked."""

    VOID = frozenset({"meta", "br"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_page_is_whole_static_offline_and_small(nights: Nights, tmp_path: Path):
    seeds = [line(seed_type, str(at)) for at, seed_type in enumerate(SEED_TYPES)]
    write_night(nights.home, "2026-01-30", seeds, **dreamt("2026-01-30"), defrag={"inserted": 12})

    code, told = nights.run("report", "2026-01-30", "--html", str(tmp_path / "night.html"))
    text = (tmp_path / "night.html").read_text()
    page = Page(text)

    assert code == 1 and "missing" in told  # its dream is not there
    assert page.open == []
    assert not {tag for tag, _ in page.tags} & {"script", "img", "link", "iframe", "object", "base", "form"}
    assert not [
        name for _, attributes in page.tags for name in attributes if name in ("src", "href") or name[:2] == "on"
    ]
    assert "default-src 'none'" in text
    assert len(text.encode()) <= 200 * 1024
    assert text.count('class="tile fires"') == 5
    assert "0.6 &gt;= 0.4" in text and "landlock_abi7" in text and "a" * 64 in text and "diagnostic_only" in text


def test_a_tile_shows_the_value_that_did_not_reach_its_threshold(nights: Nights):
    shown = {"formula": "conflict.bin_mix", "value": 0.25, "threshold": 0.4, "op": ">=", "n": 7, "numbers": {}}
    defrag = {"by_type": {"conflict": {"strongest": shown}, "bridge": {"strongest": {"value": "<b>", "op": "<b>"}}}}
    folder = write_night(nights.home, "2026-01-30", defrag=defrag)

    nights.run("report")

    text = (folder / "report.html").read_text()
    assert "not reached: 0.25 &gt;= 0.4, n = 7" in text
    assert text.count('class="tile"') == 5 and "<b><" not in text


def test_the_page_of_the_same_night_has_the_same_bytes_and_stands_beside_it(nights: Nights):
    folder = write_night(nights.home, "2026-01-30", [line("bridge")])

    pages = []
    for _ in range(2):
        code, _ = nights.run("report")
        pages.append((folder / "report.html").read_bytes())

    assert code == 0
    assert pages[0] == pages[1]
    assert (folder / "report.html").stat().st_mode & 0o777 == 0o600


def test_no_text_of_a_strange_nightly_file_reaches_a_view(nights: Nights):
    canary = "canary<script>alert(1)</script>"
    strange = {"text": canary, canary: 3, "guards": [{"guard": canary, "k": 1}], "inserted": 1}
    extra = {
        "notes": canary,
        "run_meta": {"x": canary},
        "inputs": {"notes": [canary]},
        "config_snapshot": {"y": canary},
    }
    folder = write_night(nights.home, "2026-01-30", [line("bridge")], defrag=strange, forgetting=strange, extra=extra)
    write_night(nights.home, "2026-01-29", [], defrag={**strange, "inserted": 5})

    told = [nights.run(*words)[1] for words in (["report"], ["diff", "2026-01-29"], ["trend"], ["explain", "1"])]

    assert not any("canary" in text for text in (*told, (folder / "report.html").read_text()))


def test_identical_nights_are_quiet_in_one_line(nights: Nights):
    for date in ("2026-01-29", "2026-01-30"):
        write_night(nights.home, date, [line("bridge")], defrag={"inserted": 12})

    code, told = nights.run("diff", "2026-01-29", "2026-01-30")

    assert code == 0
    assert told == "2026-01-29 to 2026-01-30: quiet; 1 seeds persist, compared by anchor\n"


def test_seeds_with_stable_anchors_are_held_against_each_other_one_by_one(nights: Nights):
    write_night(nights.home, "2026-01-29", [line("bridge", "a"), line("bridge", "b")])
    write_night(nights.home, "2026-01-30", [line("bridge", "b", 0.9), line("bridge", "c")])

    tree = nights.tree("diff", "2026-01-29", "2026-01-30")

    assert tree["by"] == "anchor" and not tree["is_quiet"]
    assert [each["anchor"] for each in tree["new"]] == [anchor("bridge/c")]
    assert [each["anchor"] for each in tree["gone"]] == [anchor("bridge/a")]
    assert [(each["before"], each["after"]) for each in tree["persisting"]] == [(0.6, 0.9)]


def test_masked_nights_are_compared_by_type_and_that_is_said(nights: Nights):
    write_night(nights.home, "2026-01-29", [line("bridge", prefix="m:")] * 2, id_privacy="mask")
    write_night(nights.home, "2026-01-30", [line("bridge", "b", prefix="m:"), line("conflict")], id_privacy="mask")

    code, told = nights.run("diff", "2026-01-29", "2026-01-30")
    tree = nights.tree("diff", "2026-01-29", "2026-01-30")

    assert code == 1 and "cannot be linked" in told
    counted = {
        name: [(each["seed_type"], each["seeds"]) for each in tree[name]] for name in ("new", "gone", "persisting")
    }
    assert counted == {"new": [("conflict", 1)], "gone": [("bridge", 1)], "persisting": [("bridge", 1)]}


def test_numbers_that_move_by_more_than_a_tenth_are_told_and_others_not(nights: Nights):
    first = {"inserted": 100, "evicted": 0, "pool_rows": 100, "is_on": True}
    write_night(nights.home, "2026-01-29", defrag=first, forgetting={"guards": [{"guard": "cap_trip", "rate": 0.5}]})
    second = {"inserted": 110, "evicted": 3, "pool_rows": 111, "is_on": False}
    write_night(nights.home, "2026-01-30", defrag=second, forgetting={"guards": [{"guard": "cap_trip", "rate": 0.25}]})

    moves = {each["name"]: each["share"] for each in nights.tree("diff", "2026-01-29")["moves"]}

    assert moves == {"defrag.evicted": None, "forgetting.guards.cap_trip.rate": -0.5, "defrag.pool_rows": 0.11}


def test_another_method_is_said_and_its_numbers_are_not_compared(nights: Nights):
    write_night(nights.home, "2026-01-29", defrag={"inserted": 100})
    write_night(nights.home, "2026-01-30", defrag={"inserted": 200}, method_sha256="d" * 64, config_sha256="e" * 64)

    code, told = nights.run("diff", "2026-01-29", "2026-01-30")

    assert code == 1
    assert "method_changed" in told and "moved" not in told


def test_a_style_is_no_method(nights: Nights):
    write_night(nights.home, "2026-01-29")
    write_night(nights.home, "2026-01-30", config_sha256="e" * 64)

    tree = nights.tree("diff", "2026-01-29", "2026-01-30")

    assert (tree["is_quiet"], tree["method_changed"], tree["config_changed"]) == (True, False, True)


def test_other_words_and_a_day_that_goes_on_are_told_and_are_no_change(nights: Nights):
    write_night(nights.home, "2026-01-29", [line("bridge")], renderer_version="1")
    write_night(nights.home, "2026-01-30", [line("bridge")], renderer_version="2", is_partial=True)

    tree = nights.tree("diff", "2026-01-29", "2026-01-30")
    code, told = nights.run("diff", "2026-01-29", "2026-01-30")
    _, trend = nights.run("trend", "--days", "2")
    _, report = nights.run("report")

    assert (tree["is_quiet"], tree["wording_changed"], tree["is_partial"], code) == (True, True, True, 0)
    assert "wording_changed" in told and "not over" in told
    assert ["partial" in row for row in trend.splitlines()[1:3]] == [False, True]
    assert "the day was not over" in report


def test_a_missing_night_is_a_gap_and_an_expired_one_is_marked(nights: Nights):
    expire(write_night(nights.home, "2026-01-28", [line("bridge")], **dreamt("2026-01-28")))
    write_night(nights.home, "2026-01-30", [line("bridge"), line("bridge", "b")], kernel_version="2")

    days = {day["date"]: day for day in nights.tree("trend", "--days", "4")["days"]}
    _, told = nights.run("trend", "--days", "4")

    assert [day["standing"] for day in days.values()] == ["gap", "generated", "gap", "skipped"]
    assert days["2026-01-29"]["seeds"] is None
    assert days["2026-01-28"]["expired"] == 1
    assert days["2026-01-30"]["method_changed"]
    rows = {row[:10]: row for row in told.splitlines()}
    assert "0" not in rows["2026-01-29"][10:] and "no night" in rows["2026-01-29"]
    assert "expired" in rows["2026-01-28"] and "method_changed" in rows["2026-01-30"]


def test_bars_begin_at_nothing_and_gaps_have_none():
    assert sparkline([0, None, 2, 4]) == "▁·▅█"
    assert sparkline([None, 0]) == "·▁"


def test_a_damaged_night_does_not_end_a_trend(nights: Nights):
    folder = write_night(nights.home, "2026-01-29")
    (folder / "nightly.json").write_text("{")
    write_night(nights.home, "2026-01-30")

    code, told = nights.run("trend", "--days", "2")

    assert code == 0 and "cannot be read" in told
    assert nights.run("report", "2026-01-29")[0] == 1


@pytest.mark.parametrize("named", ["conflict", "1", anchor("conflict/a")[:12]])
def test_a_seed_is_explained_by_type_rank_or_anchor(nights: Nights, named: str):
    strongest = {"formula": "conflict.bin_mix", "value": 0.6, "threshold": 0.4, "op": ">=", "n": 20}
    strongest["numbers"] = {"n_pos": 9, "tau": 0.02}
    defrag = {"by_type": {"conflict": {"fired": 1, "strongest": strongest}}}
    write_night(nights.home, "2026-01-30", [line("conflict")], defrag=defrag)

    code, told = nights.run("explain", named)

    assert code == 0
    assert "2 min(U+, U-) / (U+ + U-)" in told and "0.6 >= 0.4, n = 20" in told
    assert re.search(r"n_pos +9\b", told) and re.search(r"tau +0\.02\b", told)


@pytest.mark.parametrize("seed_type", SEED_TYPES)
def test_rules_are_told_without_a_night_and_nothing_is_interpreted(nights: Nights, seed_type: str):
    code, told = nights.run("explain", seed_type)

    assert code == 0 and "formula" in told


def test_no_rule_says_what_a_seed_means():
    kinds = ("cause", "meaning", "conclusion", "judgement", "person")
    texts = ["\n".join(draw_explained(explain(seed_type, None))) for seed_type in SEED_TYPES]
    texts += [" ".join(rule) for rule in RULES.values()]

    assert [found for text in texts for found in findings(text, "en") if found.kind in kinds] == []


@pytest.mark.parametrize(
    ("words", "advice"),
    [
        (("report",), "no night has been lived"),
        (("diff", "2026-01-01", "2026-01-02"), "there is no night of 2026-01-01"),
        (("report", "yesterday"), "is no date"),
        (("explain", "mystery"), "is no seed type"),
    ],
)
def test_what_is_not_there_is_refused_with_advice(nights: Nights, words: tuple[str, ...], advice: str):
    code, told = nights.run(*words)

    assert code == 2
    assert advice in told


def test_each_view_has_an_example_in_its_help(nights: Nights):
    for view in ("report", "diff", "trend", "explain"):
        assert f"supervisor nightly {view}" in nights.run(view, "--help")[1]
