"""The audit: each way to break the law is found where it stands, and nothing else is."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bus.core import Fired, MessageRef, Observed
from bus.frame import FrameKind
from bus.journal import Journal
from bus.step import Numbering, StepRecord, encode_step
from schemas.base import Message
from supervisor.cli import run_cli
from supervisor.home import Home
from supervisor.lock import Holder, hold_home
from supervisor.recorded.audit_text import draw_audit
from supervisor.recorded.auditing import AuditRequest, audit_run
from supervisor.runs import RunFigures
from supervisor.stats import ALWAYS
from tests.audited_run import PROFILE, Court, counts, kinds, last_frame
from tests.recorded_run import LIMITS, flip


@pytest.fixture
def home(tmp_path: Path) -> Home:
    made = Home(tmp_path / "home")
    made.create()
    return made


@pytest.fixture
def court(home: Home, examples: dict[str, Message]) -> Iterator[Court]:
    court = Court(home, examples)
    yield court
    court.leave()


@pytest.fixture
def command(court: Court, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    def run(*arguments: str) -> tuple[int, str, str]:
        code = run_cli(["audit", "--home", str(court.home.root), *arguments])
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


def test_a_message_to_somebody_else_that_the_dreamer_took_is_named_with_its_frame(
    court: Court, command: Callable[..., tuple[int, str, str]]
) -> None:
    stored = court.say(court.keeper, "bias-synthesizer", "FeedbackStored")
    court.dreamer.step(stored)

    code, text, _ = command()
    report = court.audit()

    assert code == 1
    assert kinds(report) == ["foreign", "misaddressed"]
    segment, offset = last_frame(court.dreamer)
    for finding in report.findings:
        assert (finding.actor, finding.epoch, finding.step) == ("dreamer", 1, court.dreamer.step_number)
        assert (finding.segment, finding.offset) == (segment, offset)
    assert (
        f"foreign: dreamer/{segment} at {offset}, step {court.dreamer.step_number} of epoch 1: FeedbackStored" in text
    )
    assert "AGAINST THE LAW 1 FeedbackStored from pool-keeper" in text


def test_a_foreign_message_that_was_really_said_to_the_dreamer_is_found_on_both_sides(court: Court) -> None:
    court.dreamer.step(court.say(court.keeper, "dreamer", "FeedbackStored"))

    report = court.audit()

    places = {(finding.kind, finding.actor, finding.segment, finding.offset) for finding in report.findings}
    said_at, heard_at = last_frame(court.keeper), last_frame(court.dreamer)
    assert places == {("foreign output", "pool-keeper", *said_at), ("foreign", "dreamer", *heard_at)}
    assert (report.verdict, report.exit_code) == ("unlawful", 1)
    assert (report.dreamers[0].received, report.dreamers[0].against_law) == (2, 1)


def test_what_a_boxed_actor_takes_for_an_observation_is_a_finding_and_of_others_it_is_not(court: Court) -> None:
    for writer in (court.dreamer, court.keeper):
        court.put(writer, StepRecord(Observed("FeedbackBatch from learner", b"a body"), bytes(8), (), None))

    report = court.audit()

    (finding,) = report.findings
    place = (finding.segment, finding.offset)
    assert (finding.kind, finding.actor, place) == ("foreign", "dreamer", last_frame(court.dreamer))


def test_a_sender_without_a_seat_is_a_finding(court: Court) -> None:
    stranger = court.join("stranger")
    court.dreamer.step(court.say(stranger, "dreamer", "BiasProfile"))

    assert sorted(kinds(court.audit())) == ["foreign output", "unknown sender"]


def test_an_input_that_no_journal_holds_is_a_finding(court: Court) -> None:
    court.dreamer.step(PROFILE._replace(seq=3))

    report = court.audit()

    assert kinds(report) == ["never said"]
    assert report.findings[0].message == "bias-synthesizer/1/3"
    assert "1 (unknown) from bias-synthesizer" in draw_audit(report)


def test_an_input_that_was_said_to_another_receiver_is_a_finding(court: Court) -> None:
    court.dreamer.step(PROFILE._replace(seq=2))

    report = court.audit()

    assert kinds(report) == ["misaddressed"]
    assert "was said to pool-keeper" in report.findings[0].text
    assert "1 of them with a finding" in draw_audit(report)


def test_an_input_that_is_taken_twice_is_a_finding(court: Court) -> None:
    court.dreamer.step(PROFILE)

    assert kinds(court.audit()) == ["twice"]


def test_an_input_that_passes_over_another_is_a_finding_and_so_is_the_one_that_comes_late(court: Court) -> None:
    first, second = (court.say(court.synthesizer, "dreamer", "BiasProfile") for _ in range(2))
    court.dreamer.step(second)
    court.dreamer.step(first)

    report = court.audit()

    assert kinds(report) == ["out of order", "out of order"]
    assert "bias-synthesizer/1/3 comes before it" in report.findings[0].text


def test_a_number_that_is_used_again_is_a_finding(court: Court) -> None:
    court.synthesizer._numbering.last_seq = 0
    court.say(court.synthesizer, "dreamer", "BiasProfile")

    report = court.audit()

    assert kinds(report) == ["renumbered"]
    assert (report.findings[0].segment, report.findings[0].offset) == last_frame(court.synthesizer)


def test_a_foreign_message_that_was_refused_unseen_is_counted_and_is_no_finding(court: Court) -> None:
    forged = Journal(court.run.journal / "bias-synthesizer", {}, 900_000, "process", LIMITS)
    forged.begin_segment(1, 0)
    out = Numbering(900_000).outgoing("dreamer", court.examples["FeedbackStored"])
    out = out._replace(predecessor=out.predecessor._replace(epoch=1, seq=1))
    forged.add(FrameKind.STEP, 1, 1, encode_step(StepRecord(Fired("x"), bytes(8), (out,), None))[0])
    forged.flush()
    forged.close()
    court.dreamer.step(MessageRef("bias-synthesizer", 900_000, 1), refusal="the topology has no row")

    court.close()

    report = court.audit("dreamer")

    assert (report.exit_code, report.findings) == (0, ())
    assert [(attempt.message, attempt.refused) for attempt in report.attempts] == [("FeedbackStored", 1)]
    assert draw_audit(report).splitlines()[1].endswith("nothing else; 1 other refused")


def test_a_foreign_message_that_was_refused_by_a_core_that_drew_is_a_finding(court: Court) -> None:
    ref = court.say(court.keeper, "dreamer", "FeedbackStored")
    court.put(court.dreamer, StepRecord(ref, b"12345678", (), "not wanted"))

    report = court.audit("dreamer")

    assert kinds(report) == ["foreign"]


def test_a_message_that_its_receiver_kept_is_held_against_what_was_said(court: Court) -> None:
    ref = court.say(court.synthesizer, "dreamer", "BiasProfile")

    court.heard("BiasProfile", ref)

    assert kinds(court.audit()) == []


@pytest.mark.parametrize(
    ("kind", "changes", "expected"),
    [
        ("BiasProfile", {"feedback_total": 17}, ["not what was said"]),
        ("PoolStats", {}, ["foreign", "not what was said"]),
    ],
)
def test_other_bytes_than_those_that_were_said_are_a_finding(
    court: Court, kind: str, changes: dict[str, object], expected: list[str]
) -> None:
    ref = court.say(court.synthesizer, "dreamer", "BiasProfile")

    court.heard(kind, ref, **changes)

    assert kinds(court.audit()) == expected


def test_a_message_that_its_receiver_kept_is_judged_without_the_journal_of_its_sender(court: Court) -> None:
    court.heard("BiasProfile", court.say(court.synthesizer, "dreamer", "BiasProfile"))
    court.heard("PoolStats", court.say(court.synthesizer, "dreamer", "BiasProfile"))
    court.forget("bias-synthesizer")

    report = court.audit("dreamer")

    assert kinds(report) == ["never said", "foreign"]
    assert report.findings[0].message == "bias-synthesizer/1/1"


def test_a_damaged_message_is_no_breach_and_ends_with_3(
    court: Court, command: Callable[..., tuple[int, str, str]]
) -> None:
    segment, offset = last_frame(court.synthesizer)
    court.synthesizer.step(Fired("tick"))
    flip(court.synthesizer.path, offset + 60, 1)

    code, text, _ = command()
    report = court.audit()

    assert code == 3
    assert "parts of the journals are damaged" in text
    found = {(finding.actor, finding.kind) for finding in report.findings}
    assert found == {("bias-synthesizer", "damaged"), ("dreamer", "damaged"), ("pool-keeper", "damaged")}
    own = next(finding for finding in report.findings if finding.actor == "bias-synthesizer")
    assert (own.segment, own.offset) == (segment, offset)


def test_only_what_can_have_stood_in_a_damaged_stretch_is_called_damaged(court: Court) -> None:
    court.synthesizer._numbering.last_seq = 3
    court.say(court.synthesizer, "pool-keeper", "BiasProfile")
    court.say(court.synthesizer, "dreamer", "BiasProfile")
    _, offset = last_frame(court.synthesizer)
    court.say(court.synthesizer, "pool-keeper", "BiasProfile")
    for seq in (3, 5, 9):
        court.dreamer.step(PROFILE._replace(seq=seq))
    flip(court.synthesizer.path, offset + 60, 1)

    report = court.audit("dreamer")

    assert [(finding.kind, finding.message) for finding in report.findings] == [
        ("never said", "bias-synthesizer/1/3"),
        ("damaged", "bias-synthesizer/1/5"),
        ("never said", "bias-synthesizer/1/9"),
    ]


def test_an_allowed_input_after_a_foreign_one_is_not_accused(court: Court) -> None:
    court.dreamer.step(court.say(court.synthesizer, "dreamer", "PoolStats"))
    court.dreamer.step(court.say(court.synthesizer, "dreamer", "BiasProfile"))

    assert kinds(court.audit("dreamer")) == ["foreign"]


def test_an_input_after_a_damaged_stretch_of_its_receiver_is_not_out_of_order(court: Court) -> None:
    _, offset = last_frame(court.dreamer)
    court.dreamer.step(court.say(court.synthesizer, "dreamer", "BiasProfile"))
    flip(court.dreamer.path, offset + 50, 1)

    report = court.audit()

    assert [(finding.kind, finding.actor, finding.offset) for finding in report.findings] == [
        ("damaged", "dreamer", offset)
    ]
    line = draw_audit(report).splitlines()[1]
    assert line.endswith("no more that can be read: parts of its journal are damaged or missing")


def test_a_frame_whose_fields_are_of_other_types_is_damage(court: Court) -> None:
    out = Numbering(1).outgoing("dreamer", court.examples["BiasProfile"])._replace(kind={"a": 1}, seq=3)
    court.put(court.synthesizer, StepRecord(Fired("x"), bytes(8), (out,), None))

    assert kinds(court.audit()) == ["damaged"]


def test_an_unfinished_write_is_no_finding(court: Court) -> None:
    court.dreamer.path.write_bytes(court.dreamer.path.read_bytes() + b"\xd7\x0e\x01")

    assert court.audit().exit_code == 0


def test_what_is_said_while_a_running_run_is_audited_is_no_finding(court: Court) -> None:
    written = []

    def write_once(_size_bytes: int) -> None:
        if not written:
            written.append(court.loop.turn())

    with hold_home(court.home, Holder(pid=1, started_at="now", runtime="/run")):
        report = audit_run(AuditRequest(court.home), write_once)

    assert (report.is_live, report.exit_code, report.findings) == (True, 0, ())
    assert counts(report)["dreamer", "DreamEntry", "pool-keeper"] == (2, 0)


def test_messages_that_were_not_taken_and_process_starts_are_no_findings(court: Court) -> None:
    court.say(court.synthesizer, "dreamer", "BiasProfile")
    again = court.join("dreamer", after=court.dreamer)
    again.step(MessageRef("bias-synthesizer", 1, 3))
    court.say(again, "pool-keeper", "DreamEntry")

    report = court.audit()

    assert (report.exit_code, report.dreamers[0].received) == (0, 2)


def test_only_the_named_actor_is_judged(court: Court, command: Callable[..., tuple[int, str, str]]) -> None:
    court.learner.step(MessageRef("pool-keeper", 1, 99))

    codes = [command(*arguments)[0] for arguments in ((), ("--actor", "learner"), ("--actor", "dreamer"))]

    assert codes == [1, 1, 0]
    assert {row.receiver for row in court.audit("dreamer").rows} == {"dreamer"}


def test_an_actor_that_never_started_is_no_finding(court: Court) -> None:
    court.forget("dreamer", "learner", "pool-keeper", "bias-synthesizer")
    court.say(court.join("learner"), "pool-keeper", "PoolStatsRequest")
    court.leave()
    none = {section: dict(figures) for section, figures in ALWAYS.items()}
    told = {"run_id": court.run.run_id, "reason": "interrupted", "at": "2026-01-01T00:01:00.000Z", "uptime_s": 1.0}
    court.run.close(RunFigures(**told, sections=none))

    report = court.audit("dreamer")

    assert (report.exit_code, report.findings) == (0, ())
    assert draw_audit(report).splitlines()[1] == "dreamer received no message"


def test_a_missing_journal_of_a_process_that_has_reported_is_damage(
    court: Court, command: Callable[..., tuple[int, str, str]]
) -> None:
    court.close()
    court.forget("dreamer")

    code, text, _ = command("--actor", "dreamer")
    report = court.audit("dreamer")

    assert code == 3
    assert text.splitlines()[1] == (
        "dreamer received no message that can be read: parts of its journal are damaged or missing"
    )
    assert "damaged: dreamer: its journal is missing, though its process has reported figures" in text
    assert (report.verdict, report.dreamers[0].is_whole) == ("damaged", False)
    assert set(kinds(court.audit())) == {"damaged"}


@pytest.mark.parametrize("share", [0.5, 0.97])
def test_a_journal_without_its_end_in_a_closed_run_is_damage(
    court: Court, command: Callable[..., tuple[int, str, str]], share: float
) -> None:
    court.close()
    path = court.dreamer.path
    path.write_bytes(path.read_bytes()[: round(path.stat().st_size * share)])

    code, text, _ = command("--actor", "dreamer")

    (finding,) = court.audit("dreamer").findings
    assert code == 3
    assert "nothing else" not in text and "that can be read" in text
    assert (finding.kind, finding.segment) == ("damaged", path.name)
    assert 0 < finding.offset <= path.stat().st_size
    assert set(kinds(court.audit())) <= {"damaged"}


def test_a_recovered_run_has_open_journals_and_no_finding_for_them(court: Court) -> None:
    court.keeper.stop()
    court.writers.remove(court.keeper)
    court.mark_closed("recovered")

    report = court.audit()

    assert (report.exit_code, report.findings) == (0, ())


def test_a_hole_in_the_steps_of_a_journal_is_damage(court: Court) -> None:
    first = court.dreamer.path
    court.dreamer.rotate()
    court.dreamer.step(court.say(court.synthesizer, "dreamer", "BiasProfile"))
    first.unlink()

    report = court.audit("dreamer")

    assert [(finding.kind, finding.step) for finding in report.findings] == [("damaged", 5)]
    assert "steps 1 to 4 are missing" in report.findings[0].text
    assert "nothing else" not in draw_audit(report)


def test_a_last_segment_that_is_gone_is_seen_by_what_others_took(court: Court) -> None:
    court.dreamer.rotate()
    last = court.dreamer.path
    court.keeper.step(court.say(court.dreamer, "pool-keeper", "DreamEntry"))
    court.close()
    last.unlink()

    report = court.audit("dreamer")

    assert (report.exit_code, kinds(report)) == (3, ["damaged"])
    assert "pool-keeper has taken dreamer/1/3" in report.findings[0].text
    assert "nothing else" not in draw_audit(report)
