"""Reports: figures, verdicts, files."""

import io
import json
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from schemas.feedback import ArmResult
from supervisor.errors import FolderRefusedError
from supervisor.experiments.campaign import Campaign
from supervisor.experiments.charting import Chart, draw_chart
from supervisor.experiments.help_report import HelpReport
from supervisor.experiments.helping import HelpOutcome
from supervisor.experiments.hue_report import HueReport
from supervisor.experiments.planted_hue import ArmOutcome, HueOutcome
from supervisor.experiments.reporting import Question, write_report

HUE = Question("planted-hue", "ab" * 32, 1, 3)
HELP = Question("help", "cd" * 32, 1, 3)


def hue_report(biased=0.6, unbiased=0.01, shuffled=-0.1, recoveries=(3, 5, 8), is_complete=True) -> HueReport:
    outcomes = tuple(
        HueOutcome(
            seed,
            0.0,
            {
                "biased": ArmOutcome(biased, 0.8, 500, 24),
                "unbiased": ArmOutcome(unbiased, 1.0, 500, 24),
                "shuffled": ArmOutcome(shuffled, 1.0, 500, 24),
            },
            recovery,
            9,
            (-0.5, 0.0, 0.5),
        )
        for seed, recovery in enumerate(recoveries, 1)
    )
    return HueReport(HUE, Campaign(tuple(range(1, len(outcomes) + 1)), outcomes, is_complete))


def an_arm(name: str, accuracy: float) -> ArmResult:
    return ArmResult(
        arm=name, steps=400, train_loss=0.2, probe_loss=1.0 - accuracy, test_loss=1.0, test_accuracy=accuracy
    )


def help_report(*gains: float) -> HelpReport:
    outcomes = tuple(
        HelpOutcome(
            seed,
            {
                "none": (an_arm("no-dreams", 0.3), an_arm("no-dreams", 0.5)),
                "random": (an_arm("dreams", 0.3), an_arm("dreams", 0.5)),
                "retrieved": (an_arm("dreams", 0.3), an_arm("dreams", 0.5 + gain)),
                "shuffled": (an_arm("dreams", 0.3), an_arm("dreams", 0.4)),
            },
        )
        for seed, gain in enumerate(gains, 1)
    )
    return HelpReport(HELP, Campaign(tuple(range(1, len(outcomes) + 1)), outcomes, True))


def test_every_target_of_planted_hue_can_be_met():
    report = hue_report()

    assert report.tree()["ok"] is True
    assert report.tree()["arms"]["biased"]["mean_utility_last_third"] == pytest.approx(0.6)
    assert report.tree()["recovery"]["worst_updates"] == 8


@pytest.mark.parametrize(
    ("changes", "missed"),
    [
        ({"biased": 0.34}, "utility, biased"),
        ({"unbiased": -0.06}, "utility, unbiased"),
        ({"shuffled": 0.16}, "utility, shuffled"),
        ({"recoveries": (3, 9, 4)}, "recovery after the jump"),
        ({"recoveries": (3, None, 4)}, "recovery after the jump"),
    ],
)
def test_a_missed_target_is_named(changes, missed):
    report = hue_report(**changes)

    assert [target.name for target in report.targets() if not target.is_met] == [missed]
    assert report.tree()["ok"] is False
    assert report.markdown().count("missed") == 1


def test_a_seed_that_never_recovers_is_said():
    report = hue_report(recoveries=(3, None, None))

    assert report.tree()["recovery"]["worst_updates"] is None
    assert report.tree()["recovery"]["median_updates"] is None
    assert "1 of 3 seeds, 2 never" in report.markdown()


def test_recovery_at_once_counts_as_no_update():
    assert hue_report(recoveries=(0, 0, 0)).tree()["recovery"]["worst_updates"] == 0


def test_an_interrupted_campaign_says_so():
    report = hue_report(is_complete=False)

    assert "interrupted before the others" in report.markdown()
    assert report.tree()["complete"] is False


@pytest.mark.parametrize(
    ("gains", "verdict"),
    [
        ((0.04, 0.05, 0.06), "helps"),
        ((-0.04, -0.05, -0.06), "harms"),
        ((0.3, -0.1, -0.2), "inconclusive"),
    ],
)
def test_the_verdict_is_that_of_the_paired_interval(gains, verdict):
    report = help_report(*gains * 4)

    assert report.verdict == verdict
    assert f"**{verdict}**.\n" in report.markdown()


@pytest.mark.parametrize(("seeds", "verdict"), [(1, "inconclusive"), (9, "inconclusive"), (10, "helps")])
def test_dreams_are_only_said_to_help_after_ten_seeds(seeds, verdict):
    # design, 5.12
    report = help_report(*(0.04 + 0.001 * seed for seed in range(seeds)))

    assert report.verdict == report.tree()["verdict"] == verdict
    assert ("for a verdict takes 10 seeds" in report.markdown()) is (seeds < 10)


def test_seeds_without_a_profile_after_the_jump_have_a_report_all_the_same():
    outcomes = hue_report().campaign.results
    silent = [replace(each, utility_by_update=(), recovery_updates=None, return_updates=None) for each in outcomes]
    report = HueReport(HUE, Campaign((1, 2, 3), tuple(silent), True))

    assert Image.open(io.BytesIO(draw_chart(report.chart()))).size == (960, 540)
    assert "before the jump: updates until then, 3 never." in report.markdown()


def test_comparisons_begin_with_retrieved_against_none():
    first = help_report(0.1, 0.2, 0.3).tree()["comparisons"][0]

    assert (first["arm"], first["against"], first["metric"]) == ("retrieved", "none", "test_accuracy")
    assert first["difference"]["per_seed"] == pytest.approx((0.1, 0.2, 0.3))


@pytest.mark.parametrize("report", [hue_report(), help_report(0.1, 0.2)], ids=["planted-hue", "help"])
def test_a_report_is_written_whole_and_the_same_again(report, tmp_path: Path):
    folder = tmp_path / "deep" / "down"

    written = write_report(report, folder)
    before = [path.read_bytes() for path in written]
    write_report(report, folder)

    assert [path.name for path in written] == ["report.json", "report.md", "report.png"]
    assert [path.read_bytes() for path in written] == before
    assert json.loads(before[0]) == json.loads(json.dumps(report.tree()))
    assert Image.open(io.BytesIO(before[2])).size == (960, 540)


def test_a_folder_that_cannot_be_made_is_refused_by_name(tmp_path: Path):
    (tmp_path / "file").write_text("")

    with pytest.raises(FolderRefusedError, match="file"):
        write_report(hue_report(), tmp_path / "file" / "report")


def test_each_series_of_a_chart_has_a_colour_of_its_own():
    content = draw_chart(Chart("title", "steps", {"up": [0.0, 1.0], "down": [1.0, 0.0]}))

    colours = {colour for _, colour in Image.open(io.BytesIO(content)).getcolors(1 << 20) or []}
    assert {(0x4C, 0x4C, 0x4C), (0x1F, 0x77, 0xB4)} <= colours


def test_a_chart_of_one_value_can_be_drawn():
    assert draw_chart(Chart("title", "steps", {"only": [0.5]})).startswith(b"\x89PNG")
