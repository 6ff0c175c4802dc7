"""What a power cut takes: only what no sync has covered, and it is counted (dossier of reliability, section 8, 3)."""

from copy import deepcopy
from random import Random

import pytest

from bus.core import StepPosition
from bus.segment import SegmentName
from bus.simulation.campaign import run_plan
from bus.simulation.disk import GroupSync, Mark, MemoryJournal
from bus.simulation.faults import SECOND_NS, DrawnFaults, dense_mix
from bus.simulation.history import recall
from bus.simulation.light_keeper import light_company
from bus.simulation.plan import Plan, Policy, Report

MS_NS = 1_000_000
GROUP_NS = 50 * MS_NS
QUARTER_HOUR_NS = 900 * SECOND_NS


def cut_often(seed: int, policy: Policy) -> Report:
    """A quarter of an hour with a power cut every few seconds."""
    names = [seat.instance for seat in light_company(seed).seats]
    faults = DrawnFaults(seed, names, QUARTER_HOUR_NS, dense_mix({"PowerCut", "drop"}))
    return run_plan(Plan(seed, QUARTER_HOUR_NS, policy), light_company, faults=faults)


def test_under_policy_process_a_power_cut_takes_only_what_is_younger_than_the_window():
    reports = [cut_often(seed, "process") for seed in range(1, 7)]

    assert [report.violation for report in reports] == [None] * 6
    assert sum(report.losses.messages for report in reports) > 20
    assert all(report.losses.oldest_ns <= report.window_ns for report in reports)
    assert all(GROUP_NS <= report.window_ns <= GROUP_NS + 20 * MS_NS for report in reports)


def test_under_policy_power_a_power_cut_takes_nothing_that_was_sent():
    reports = [cut_often(seed, "power") for seed in range(1, 7)]

    assert [report.violation for report in reports] == [None] * 6
    assert sum(report.losses.power_cuts for report in reports) > 100
    assert [report.losses.sent for report in reports] == [0] * 6
    assert [report.losses.unanswered for report in reports] == [0] * 6


def test_what_a_power_cut_took_is_counted_by_policy():
    report = cut_often(1, "process")

    assert report.policy == "process"
    assert report.losses.messages >= report.losses.sent > 0
    assert report.cut_bytes > 0


@pytest.mark.parametrize("seed", range(20))
def test_a_group_sync_covers_every_write_within_its_window(seed):
    draws = Random(seed)
    sync = GroupSync(GROUP_NS, draws.randint(1, 10) * MS_NS)
    writes, now_ns = [], 0

    for _ in range(300):
        now_ns += draws.choice((0, 1, 7, 30, 60, 400)) * MS_NS
        covered = sync.covered_ns(now_ns)
        assert all(at_ns <= covered for at_ns in writes if at_ns < now_ns - sync.window_ns)
        writes.append(now_ns)
        sync.request(now_ns)


def test_a_sync_covers_nothing_before_it_has_ended():
    sync = GroupSync(GROUP_NS, 5 * MS_NS)

    sync.request(100 * MS_NS)

    assert sync.covered_ns(105 * MS_NS - 1) < 100 * MS_NS
    assert sync.covered_ns(105 * MS_NS) == 100 * MS_NS


def written_journal() -> MemoryJournal:
    """A journal with a synced and an unsynced frame of ten bytes."""
    journal = MemoryJournal("dreamer", GroupSync(GROUP_NS, 0))
    journal.begin_segment(SegmentName(1, 1), {"epoch": 1}, 0)
    for number, at_ns in ((1, 0), (2, 10 * MS_NS)):
        journal.append(b"0123456789", (Mark(journal.size() + 10, number, at_ns),), at_ns)
    return journal


@pytest.mark.parametrize("salt", range(12))
def test_the_synced_part_of_a_segment_survives_and_the_rest_is_cut_or_zero(salt):
    journal = written_journal()
    before = bytes(journal.files[0].data)

    cut = journal.cut_power(20 * MS_NS, Random(salt))

    after = bytes(journal.files[0].data)
    assert [frame.at for frame in cut.lost] == [StepPosition(1, 2)]
    assert after[:-10] == before[:-10] or before[:-10] == after[: len(before) - 10]
    assert before.startswith(after.rstrip(b"\0"))
    assert not cut.has_hole


def test_a_segment_that_outlives_the_end_of_the_one_before_is_a_hole():
    journal = written_journal()
    journal.begin_segment(SegmentName(1, 3), {}, 10 * MS_NS)
    journal.append(b"0123456789", (Mark(journal.size() + 10, 3, 10 * MS_NS),), 10 * MS_NS)

    holes = []
    for salt in range(50):
        spoilt = deepcopy(journal)
        holes.append(spoilt.cut_power(20 * MS_NS, Random(salt)).has_hole)

    assert set(holes) == {False, True}


def test_a_segment_of_which_nothing_was_synced_can_be_gone():
    journal = MemoryJournal("dreamer", GroupSync(GROUP_NS, 60 * MS_NS))

    left = set()
    for salt in range(200):
        journal.files.clear()
        journal.begin_segment(SegmentName(1, salt + 1), {}, 0)
        journal.cut_power(MS_NS, Random(salt))
        left.add(len(journal.files))
        recall(journal)

    assert left == {0, 1}
    assert journal.files == []
