"""What evaluations left is read without trust, and shown."""

import json
from html.parser import HTMLParser

import pytest

from schemas.evidence import REGIMES
from supervisor.cli import run_cli
from supervisor.regimes.capped import report_caps
from supervisor.regimes.html_report import draw_report
from supervisor.regimes.kept import read_kept
from supervisor.regimes.summary import best_first, summarise
from tests.actors.regime_runner.written_evidence import steady, unavailable
from tests.supervisor.regimes.conftest import BASE, BETTER


class Page(HTMLParser):
    """The tags of a page with their attributes, and whether they close in order."""

    VOID = frozenset(("meta", "line", "circle", "path", "rect", "polyline"))

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag not in self.VOID:
            assert self.open.pop() == tag

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))


@pytest.fixture(scope="session")
def caps():
    from schemas.regime_files import load_caps
    from supervisor.configuration import default_file

    text = (default_file().parent / "caps.yaml").read_bytes()
    return report_caps(load_caps(text), "caps.yaml", "", 2, None)


def page_of(evaluated, caps):
    return draw_report(read_kept(evaluated.home), caps, "2026-01-02T03:04:05Z")


def test_packs_lines_and_baselines_are_read(evaluated):
    kept = read_kept(evaluated.home)

    assert kept.domains == ("cpu",)
    assert [pack.cand_id for pack in kept.packs["cpu"]] == ["gen0_00", "gen0_01", "gen1_00", "gen1_01"]
    assert [line["generation"] for line in kept.lines["cpu"]] == [0, 1]
    assert len(kept.baselines.versions) == 4
    assert kept.faults == []


def test_the_best_is_first_and_what_has_no_score_last(evaluated):
    found = best_first([summarise(pack) for pack in read_kept(evaluated.home).latest("cpu")])

    assert [row.cand_id for row in found[:2]] == ["gen1_00", "gen0_00"]
    assert {row.cand_id: row.score_v2 for row in found[2:]} == {"gen0_01": None, "gen1_01": None}


def test_only_the_latest_evaluation_is_compared(evaluated):
    late = {"created_at_utc": "2027-01-01T00:00:00Z", "evaluation_id": "run-2/order-2"}
    evaluated.add("gen2_00", 2, steady(BASE, BASE), **late)

    assert [pack.cand_id for pack in read_kept(evaluated.home).latest("cpu")] == ["gen2_00"]


@pytest.mark.parametrize(
    ("path", "content", "fault"),
    [
        ("artifacts/candidates/cpu/gen0_00.json", b"{", "artifacts/candidates/cpu/gen0_00.json: "),
        ("artifacts/candidates/cpu/extra.json", b"{}", "artifacts/candidates/cpu/extra.json: "),
        ("artifacts/baselines.json", b"[]", "artifacts/baselines.json cannot be read: "),
        ("artifacts/domain_evolution/cpu_evolution.jsonl", b"\xff\n", "domain_evolution/cpu_evolution.jsonl line 1: "),
        ("artifacts/domain_evolution/cpu_evolution.jsonl", b"7\n", "domain_evolution/cpu_evolution.jsonl line 1: "),
    ],
)
def test_what_is_damaged_is_named_and_the_rest_shown(evaluated, path, content, fault, capsys):
    evaluated.write(path, content)

    code = run_cli(["regimes", "report", "--home", str(evaluated.home.root)])

    assert code == 1
    assert fault in capsys.readouterr().out
    assert read_kept(evaluated.home).domains == ("cpu",)


def test_the_report_is_json_without_infinity(evaluated, capsys):
    assert run_cli(["regimes", "report", "cpu", "--json", "--home", str(evaluated.home.root)]) == 0

    output = capsys.readouterr().out
    rows = {row["cand_id"]: row for row in json.loads(output)["domains"]["cpu"]}
    assert "Infinity" not in output
    assert (rows["gen0_01"]["score_v2"], rows["gen0_01"]["safe"]) == (None, False)
    assert (rows["gen1_00"]["verdict"], rows["gen1_00"]["improves_over_baseline"]) == ("improved", True)


def test_a_home_without_evaluations_says_so(tmp_path, capsys):
    home = str(tmp_path / "home")

    assert run_cli(["regimes", "report", "--home", home]) == 0
    assert run_cli(["regimes", "baselines", "--home", home]) == 0
    assert capsys.readouterr().out.splitlines() == ["no evaluation yet", "no baseline yet"]
    assert not (tmp_path / "home").exists()


def test_baselines_tell_of_which_host_and_code_they_are(evaluated, capsys):
    assert run_cli(["regimes", "baselines", "cpu", "--home", str(evaluated.home.root)]) == 0

    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split()[:4] == ["domain", "regime", "version", "n"]
    assert all("another" in line for line in lines[1:5])


def test_the_page_needs_nothing_from_outside_and_runs_nothing(evaluated, caps):
    text = page_of(evaluated, caps)
    page = Page(text)

    assert page.open == []
    assert {tag for tag, _ in page.tags} & {"script", "link", "img", "iframe", "object"} == set()
    links = [value for _, attributes in page.tags for name, value in attributes.items() if name in ("href", "src")]
    assert links
    assert all(link is not None and link.startswith("#") for link in links)
    assert "url(" not in text
    assert "@import" not in text
    assert not [name for _, attributes in page.tags for name in attributes if name.startswith("on")]


def test_the_page_shows_plots_verdicts_the_curve_and_the_sensors(evaluated, caps):
    text = page_of(evaluated, caps)

    for shown in (
        "perf, ops/s: change from the stored baseline",
        "p95_ms, ms: change from the stored baseline",
        "paired change, 95 % interval",
        "score_v2 by generation",
        "best of random search",
        ">improved</span>",
        "Sensors and caps",
        "thermal_throttle_events",
    ):
        assert shown in text, shown


def test_the_page_says_what_to_install(evaluated, caps):
    late = {"created_at_utc": "2027-01-01T00:00:00Z", "evaluation_id": "run-2/order-2"}
    evaluated.add("gen2_00", 2, [unavailable(regime) for regime in REGIMES], **late)

    assert "stress-ng is not installed; install stress-ng" in page_of(evaluated, caps)


def test_the_dots_of_a_plot_are_the_trials(evaluated, caps):
    text = page_of(evaluated, caps)
    plot = text[text.index("perf, ops/s: change") :].partition("</svg>")[0]

    assert plot.count('fill="var(--candidate)" opacity') == 40
    assert plot.count('fill="var(--baseline)" opacity') == 40


def test_text_from_files_is_escaped(evaluated, caps):
    evaluated.add("gen1_02", 1, steady(BETTER, BASE), genome={"<script>": "a&b"})
    evaluated.write("artifacts/candidates/cpu/<b>.json", b"{")

    text = page_of(evaluated, caps)

    assert "<script>" not in text
    assert "&lt;script&gt;=a&amp;b" in text
    assert "&lt;b&gt;.json" in text


def test_a_home_without_evaluations_has_a_page_too(tmp_path, capsys):
    page = tmp_path / "report.html"

    assert run_cli(["regimes", "report", "--html", str(page), "--home", str(tmp_path / "home")]) == 0
    assert "No evaluation yet" in page.read_text()
    assert Page(page.read_text()).open == []
    assert capsys.readouterr().err == f"written: {page}\n"


def test_a_page_that_cannot_be_written_is_one_line(tmp_path, capsys):
    page = tmp_path / "nowhere" / "report.html"

    assert run_cli(["regimes", "report", "--html", str(page), "--home", str(tmp_path / "home")]) == 1
    assert "nowhere" in capsys.readouterr().err
