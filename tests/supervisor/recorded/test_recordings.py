"""Recorded runs: what is listed, told and verified, which exit codes follow, and what the command line refuses."""

import json
import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bus.core import Fired, MessageRef
from bus.recording import Recording
from bus.recovery import frames_of
from bus.tally import count
from schemas.dreams import DreamEntry
from schemas.ids import RunId
from schemas.retrieval import PoolStatsRequest
from supervisor.cli import run_cli
from supervisor.configuration import Sources, load_configuration
from supervisor.home import Home
from supervisor.lock import Holder, hold_home
from supervisor.manifest import Protection, make_manifest
from supervisor.plan import default_seats
from supervisor.recorded.inspecting import inspect_run
from supervisor.recorded.recordings import describe_run, list_recordings, read_facts
from supervisor.runs import RunFigures, RunFolder
from tests.recorded_run import Loop, Writer, flip, recorded_loop

MOMENT = datetime(2026, 1, 1, tzinfo=UTC)
BOXED = Protection("landlock+seccomp", "curve")


@pytest.fixture
def home(tmp_path: Path) -> Home:
    made = Home(tmp_path / "home")
    made.create()
    return made


@pytest.fixture
def dream(examples: dict[str, object]) -> DreamEntry:
    found = examples["DreamEntry"]
    assert isinstance(found, DreamEntry)
    return found


def begin(home: Home, ordinal: int = 1) -> RunFolder:
    manifest = make_manifest(load_configuration(Sources(home)), "ab" * 32, default_seats(), ordinal, MOMENT, BOXED)
    run = RunFolder(home, RunId(manifest.run_id))
    run.write_manifest(manifest)
    return run


def close(run: RunFolder, reason: str = "down") -> None:
    run.close(RunFigures(run_id=run.run_id, reason=reason, at="2026-01-01T00:01:00.000Z", uptime_s=60.0, sections={}))


def recorded(home: Home, dream: DreamEntry, ordinal: int = 1, rounds: int = 2) -> RunFolder:
    run = begin(home, ordinal)
    recorded_loop(run.journal, dream, rounds)
    close(run)
    return run


def answer(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = run_cli(["record", *arguments])
    said = capsys.readouterr()
    return code, said.out, said.err


def test_the_list_tells_state_counts_and_size_of_each_run(home: Home, dream: DreamEntry) -> None:
    first, second = recorded(home, dream), begin(home, 2)
    recorded_loop(second.journal, dream, is_closed=False)

    closed, interrupted = list_recordings(home).runs

    assert (closed.run_id, closed.state_text, closed.is_pinned) == (first.run_id, "closed: down", False)
    assert (closed.actors, closed.steps, closed.messages) == (("dreamer", "learner", "pool-keeper"), 15, 8)
    assert closed.size_bytes == sum(path.stat().st_size for path in first.journal.rglob("*.seg"))
    assert closed.started_at == "2026-01-01T00:00:00.000Z"
    assert closed.duration_s == 7.0
    assert (interrupted.run_id, interrupted.state_text, interrupted.messages) == (second.run_id, "interrupted", 8)


def test_the_newest_open_run_of_a_home_that_is_held_is_running(home: Home, dream: DreamEntry) -> None:
    for ordinal in (1, 2):
        recorded_loop(begin(home, ordinal).journal, dream, is_closed=False)

    with hold_home(home, Holder(pid=1, started_at="now", runtime="/run")):
        states = [run.state for run in list_recordings(home).runs]

    assert states == ["interrupted", "running"]


def test_a_tally_equals_what_a_whole_reading_counts(home: Home) -> None:
    run = begin(home)
    first = Writer(run.journal, "learner")
    for request in range(3):
        first.step(Fired("ask"), [("pool-keeper", PoolStatsRequest(request=request))] * 2)
        first.rotate()
    first.step(Fired("ask"), [("pool-keeper", PoolStatsRequest(request=9))])
    first.crash()
    second = Writer(run.journal, "learner", after=first)
    second.step(Fired("ask"), [("pool-keeper", PoolStatsRequest(request=9))])
    second.stop()

    tally = count(Recording(run.journal), "learner")

    (actor,) = inspect_run(run).actors
    assert (tally.epochs, tally.segments, tally.steps, tally.messages) == (2, 5, 7, 8)
    assert (len(actor.epochs), actor.segments, actor.steps, actor.messages) == (2, 5, 7, 8)
    assert tally.size_bytes == actor.size_bytes
    assert tally.last_ns == second.now_ns


def test_a_tally_counts_what_was_said_before_a_segment_that_was_hardly_begun(home: Home) -> None:
    run = begin(home)
    writer = Writer(run.journal, "learner")
    writer.step(Fired("ask"), [("pool-keeper", PoolStatsRequest(request=1))])
    head_bytes = next(frames_of(writer.path)).offset
    writer.rotate()
    writer.crash()
    os.truncate(writer.path, head_bytes)

    assert count(Recording(run.journal), "learner").messages == 1


def test_a_run_is_told_in_detail(home: Home, dream: DreamEntry) -> None:
    run = begin(home)
    loop = Loop(run.journal, dream)
    loop.turn()
    loop.learner.step(MessageRef("pool-keeper", 1, 3), refusal="not asked for")
    loop.crash()
    again = Writer(run.journal, "learner", after=loop.learner, cut_bytes=17)
    again.stop()

    details = inspect_run(run)

    assert (details.manifest.seed, details.manifest.fsync) == (42, "process")
    assert details.manifest.config_sha256 and details.manifest.fingerprint
    dreamer, learner, keeper = details.actors
    assert [(c.kind, c.receiver, c.messages) for c in keeper.by_kind] == [
        ("LearningBatch", "learner", 1),
        ("PoolStats", "learner", 1),
    ]
    assert (learner.role, learner.refusals, learner.cut_bytes) == ("learner", 1, 17)
    assert [(start.epoch, start.steps) for start in learner.epochs] == [(1, 5), (2, 1)]
    assert (learner.first_at, learner.last_at) == ("2026-01-01T00:00:00.000Z", "2026-01-01T00:00:06.000Z")
    assert dreamer.by_kind[0].size_bytes > len(dream.tensor_blob)
    assert dreamer.damages == 0


def test_damage_and_an_unfinished_write_are_counted_in_the_details(home: Home, dream: DreamEntry) -> None:
    run = begin(home)
    loop = recorded_loop(run.journal, dream, is_closed=False)
    flip(loop.learner.path, loop.learner.path.stat().st_size // 2, 0)
    loop.dreamer.path.write_bytes(loop.dreamer.path.read_bytes() + b"\xd7\x0e\x01")

    dreamer, learner, _ = inspect_run(run).actors

    assert (dreamer.damages, dreamer.cut_bytes) == (0, 3)
    assert learner.damages == 1


def test_a_manifest_of_another_form_is_read_as_far_as_it_goes(home: Home, dream: DreamEntry) -> None:
    run = recorded(home, dream)
    manifest = json.loads(run.manifest_file.read_text())
    del manifest["settings"]["journal"]["keep_days"], manifest["fingerprint"]
    run.manifest_file.write_text(json.dumps(manifest))

    facts = read_facts(run)

    assert (facts.problem, facts.seed, facts.fsync, facts.fingerprint) == (None, 42, "process", {})
    assert facts.roles == {seat.instance: seat.role for seat in default_seats()}


@pytest.mark.parametrize("content", ["{", "[]"])
def test_a_manifest_that_is_none_is_said_and_the_run_is_listed(home: Home, dream: DreamEntry, content: str) -> None:
    run = recorded(home, dream)
    run.manifest_file.write_text(content)

    line = describe_run(run)

    assert line.problem is not None and "manifest.json" in line.problem
    assert line.messages == 8


def test_verify_ends_with_0_for_a_whole_run(home: Home, dream: DreamEntry, capsys: pytest.CaptureFixture[str]) -> None:
    run = recorded(home, dream)

    code, text, _ = answer(capsys, "verify", "--home", str(home.root))
    json_code, found, _ = answer(capsys, "verify", "1", "--json", "--home", str(home.root))

    assert (code, json_code) == (0, 0)
    assert text.startswith(f"run {run.run_id}: whole")
    tree = json.loads(found)
    assert (tree["verdict"], tree["findings"], tree["cut_bytes"]) == ("whole", 0, 0)
    assert [segment["actor"] for segment in tree["segments"]] == ["dreamer", "learner", "pool-keeper"]


def test_verify_ends_with_3_and_names_segment_and_offset_of_damage(
    home: Home, dream: DreamEntry, capsys: pytest.CaptureFixture[str]
) -> None:
    run = recorded(home, dream)
    path = next(run.journal.glob("dreamer/*.seg"))
    flip(path, 5, 1)

    code, text, _ = answer(capsys, "verify", "--home", str(home.root))
    json_code, found, _ = answer(capsys, "verify", "--json", "--home", str(home.root))

    assert (code, json_code) == (3, 3)
    assert f"dreamer/{path.name} at 0: not a journal segment" in text
    tree = json.loads(found)
    assert tree["verdict"] == "lossy"
    assert [finding["offset"] for finding in tree["segments"][0]["findings"]] == [0]


def test_verify_counts_an_unfinished_write_and_ends_with_0(
    home: Home, dream: DreamEntry, capsys: pytest.CaptureFixture[str]
) -> None:
    loop = recorded_loop(begin(home).journal, dream, is_closed=False)
    size = loop.dreamer.path.stat().st_size
    loop.dreamer.path.write_bytes(loop.dreamer.path.read_bytes() + b"\xd7\x0e\x01")

    code, text, _ = answer(capsys, "verify", "--home", str(home.root))

    assert code == 0
    assert f"3 bytes unfinished at {size}" in text


def test_verify_ends_with_1_for_what_cannot_be_read(
    home: Home, dream: DreamEntry, capsys: pytest.CaptureFixture[str]
) -> None:
    run = recorded(home, dream)
    path = next(run.journal.glob("dreamer/*.seg"))
    path.rename(path.with_suffix(".old"))
    path.symlink_to("nowhere")
    empty = begin(home, 2)

    one_file, text, _ = answer(capsys, "verify", run.run_id, "--home", str(home.root))
    no_file, _, complaint = answer(capsys, "verify", empty.run_id, "--home", str(home.root))

    assert (one_file, no_file) == (1, 1)
    assert f"dreamer/{path.name} at 0: a link, which is not followed" in text
    assert empty.run_id in complaint and "no journals" in complaint


def test_verify_hashes_tensors_where_that_is_asked_for(
    home: Home, dream: DreamEntry, capsys: pytest.CaptureFixture[str]
) -> None:
    recorded(home, dream, rounds=1)

    plain, _, _ = answer(capsys, "verify", "--home", str(home.root))
    deep, text, _ = answer(capsys, "verify", "--deep", "--home", str(home.root))

    assert (plain, deep) == (0, 3)
    assert "DreamEntry dreamer/1/1: tensor refused" in text
    assert "LearningBatch pool-keeper/1/2: tensor refused" in text


def test_info_and_list_draw_what_a_person_looks_for(
    home: Home, dream: DreamEntry, capsys: pytest.CaptureFixture[str]
) -> None:
    run = recorded(home, dream)

    _, listed, _ = answer(capsys, "list", "--home", str(home.root))
    _, told, _ = answer(capsys, "info", run.run_id[:13], "--home", str(home.root))
    _, found, _ = answer(capsys, "info", "--json", "--home", str(home.root))

    assert run.run_id in listed and "closed: down" in listed
    assert "DreamEntry -> pool-keeper" in told and "seed 42" in told
    assert json.loads(found)["actors"][0]["by_kind"][0]["messages"] == 2


def test_an_empty_home_has_an_empty_list(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, text, _ = answer(capsys, "list", "--home", str(tmp_path))

    assert (code, "no recorded run" in text) == (0, True)


def test_an_unknown_run_is_a_usage_error_that_names_the_runs_there_are(
    home: Home, dream: DreamEntry, capsys: pytest.CaptureFixture[str]
) -> None:
    run = recorded(home, dream)

    code, _, complaint = answer(capsys, "info", "2031", "--home", str(home.root))

    assert code == 2
    assert "2031" in complaint and run.run_id in complaint


@pytest.mark.parametrize(
    ("command", "expected"),
    [("audit", 2), ("replay", 2), ("record list", 0), ("record verify", 2), ("stats", 3), ("logs", 0), ("status", 3)],
)
def test_a_home_whose_name_is_too_long_is_a_home_that_is_not_there(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], command: str, expected: int
) -> None:
    codes = [run_cli([*command.split(), "--home", str(tmp_path / name)]) for name in ("absent", "n" * 300)]

    assert codes == [expected, expected]
    assert "too long" not in capsys.readouterr().err
