"""Topics: what is said, how often and how fast, read from journals alone and shown as it was said."""

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bus.topology import TOPOLOGY
from schemas import CATALOGUE, Message
from schemas.retrieval import PoolStatsRequest
from supervisor.cli import run_cli
from supervisor.commands.topic import LIVE_WINDOW_S
from supervisor.home import Home
from supervisor.lock import Holder, hold_home
from supervisor.recorded.conversation import Conversation
from supervisor.recorded.kinds import describe_kind, journalled_kinds
from supervisor.recorded.listening import choose_run, is_live, live_steps
from supervisor.recorded.message_fields import brief, plain
from supervisor.recorded.topics import Window, largest_gap_s, rate_of
from supervisor.runs import RunFolder, name_run, resolve_run
from tests.written_run import START_NS, WrittenRun, time_ns

SEATS = ("bias-synthesizer", "dreamer", "learner", "pool-keeper")


@pytest.fixture
def home(tmp_path: Path) -> Home:
    made = Home(tmp_path / "home")
    made.create()
    return made


def begin(home: Home, ordinal: int = 1) -> WrittenRun:
    """A run that a supervisor has begun and not closed."""
    run = RunFolder(home, name_run(datetime.fromtimestamp(START_NS / 1e9, UTC), ordinal))
    run.path.mkdir()
    run.manifest_file.write_text(json.dumps({"seats": [{"instance": seat} for seat in SEATS]}))
    return WrittenRun(run.journal)


@pytest.fixture
def run(home: Home, examples: dict[str, Message]) -> WrittenRun:
    """Three dreams, a question and its answer."""
    run = begin(home)
    dream = examples["DreamEntry"]
    for number in range(3):
        run.step("dreamer", number, pool_keeper=dream.model_copy(update={"coherence": 0.1 * number}))
    (asked,) = run.step("learner", 3.5, pool_keeper=PoolStatsRequest(request=7))
    run.step("pool-keeper", 4, event=asked, learner=examples["PoolStats"])
    return run


@contextmanager
def supervised(home: Home) -> Iterator[None]:
    """A supervisor holds the home."""
    with hold_home(home, Holder(pid=1, started_at="2030-01-01T00:00:00Z", runtime="/nowhere")):
        yield


class Said:
    """What a command printed."""

    def __init__(self, home: Home, capsys: pytest.CaptureFixture[str]) -> None:
        self._home = home
        self._capsys = capsys
        self.code = 0
        self.err = ""

    def __call__(self, *arguments: str) -> str:
        self.code = run_cli(["topic", arguments[0], "--home", str(self._home.root), *arguments[1:]])
        out, self.err = self._capsys.readouterr()
        return out

    def tree(self, *arguments: str) -> dict[str, object]:
        found: dict[str, object] = json.loads(self(*arguments, "--json"))
        return found

    def lines(self, *arguments: str) -> list[dict[str, object]]:
        return [json.loads(line) for line in self("echo", "--json", *arguments).splitlines()]


@pytest.fixture
def said(home: Home, capsys: pytest.CaptureFixture[str]) -> Said:
    return Said(home, capsys)


def test_list_counts_each_kind_with_its_senders_and_receivers(run: WrittenRun, said: Said) -> None:
    rows = {row["kind"]: row for row in said.tree("list")["topics"]}

    assert set(rows) == set(journalled_kinds())
    dreams = rows["DreamEntry"]
    assert (dreams["messages"], dreams["senders"], dreams["receivers"]) == (3, ["dreamer"], ["pool-keeper"])
    assert dreams["bytes"] > 3 * 32
    assert dreams["last_at"] == "2030-03-17T17:46:42.000Z"
    assert (rows["BiasProfile"]["messages"], rows["BiasProfile"]["last_at"]) == (0, None)


def test_list_as_text_has_a_row_for_each_kind(run: WrittenRun, said: Said) -> None:
    lines = said("list").splitlines()

    assert lines[0] == "run 20300317T174640Z-0001 (ended)"
    assert [line.split()[0] for line in lines[3:]] == journalled_kinds()


def test_damage_is_named_and_the_rest_is_counted(run: WrittenRun, said: Said) -> None:
    run.flip("learner", -1)

    rows = {row["kind"]: row["messages"] for row in said.tree("list")["topics"]}
    said("list")

    assert (rows["PoolStatsRequest"], rows["PoolStats"], rows["DreamEntry"]) == (0, 1, 3)
    assert said.code == 0


def test_damaged_stretch_is_said_on_standard_error(run: WrittenRun, said: Said) -> None:
    run.step("learner", 5, pool_keeper=PoolStatsRequest(request=8))
    run.flip("learner", 100)

    said("list")

    assert "damaged journal" in said.err and run.path("learner").name in said.err


def test_info_shows_fields_ranges_docs_and_rows_for_every_kind(said: Said) -> None:
    for kind, cls in CATALOGUE.items():
        described = describe_kind(kind)
        assert [text.name for text in described.fields] == list(cls.model_fields)
        assert set(described.rows) == {(row.sender, row.receiver) for row in TOPOLOGY if row.message is cls}
        assert all(text.type and "<" not in text.type.replace("<=", "") for text in described.fields), described


def test_info_speaks_of_types_as_people_do(said: Said) -> None:
    fields = {text["name"]: text for text in said.tree("info", "retrievalquery")["fields"]}

    assert fields["k"]["type"] == "int 1..4096"
    assert fields["mode"]["type"] == "cosine | euclidean | mixed | composite"
    assert fields["query_id"]["type"] == "UUID"
    assert fields["min_coherence"]["type"] == "float 0..1 or none"
    assert fields["query_signature"]["type"] == "3 x float 0..1"
    assert fields["min_coherence"]["doc"] == "Lower bound, inclusive."


def test_info_counts_what_was_said_and_needs_no_run(run: WrittenRun, said: Said, tmp_path: Path) -> None:
    assert said.tree("info", "PoolStatsRequest")["said"]["messages"] == 1

    assert run_cli(["topic", "info", "PoolStatsRequest", "--home", str(tmp_path / "empty"), "--json"]) == 0


def test_unknown_kind_is_refused_with_the_nearest(run: WrittenRun, said: Said) -> None:
    said("info", "DreamEntri")

    assert said.code == 2
    assert "'DreamEntri'" in said.err and "DreamEntry" in said.err


def test_echo_shows_a_recorded_run_in_order(run: WrittenRun, said: Said) -> None:
    rows = said.lines()

    assert [row["id"] for row in rows] == [
        "dreamer/1/1",
        "dreamer/1/2",
        "dreamer/1/3",
        "learner/1/1",
        "pool-keeper/1/1",
    ]
    assert rows[-1] | {"bytes": 0} == {
        "id": "pool-keeper/1/1",
        "kind": "PoolStats",
        "version": 1,
        "sender": "pool-keeper",
        "epoch": 1,
        "seq": 1,
        "receiver": "learner",
        "at": "2030-03-17T17:46:44.000Z",
        "wall_ns": time_ns(4),
        "step": 1,
        "cause": "learner/1/1",
        "bytes": 0,
        "fields": rows[-1]["fields"],
    }
    assert rows[3]["cause"] == "timer tick"
    assert rows[3]["fields"] == {"request": 7}


def test_echo_shows_a_tensor_by_size_and_hash(run: WrittenRun, said: Said) -> None:
    (row,) = said.lines("DreamEntry", "--count", "1")

    assert row["fields"]["tensor_blob"] == bytes(range(32)).hex()
    first_digits = hashlib.sha256(b"x" * 5000).hexdigest()[:8]
    assert plain(b"x" * 5000) == {"bytes": 5000, "sha256": first_digits}
    assert brief(b"x" * 5000) == f"5000 bytes {first_digits}"


@pytest.mark.parametrize(
    ("options", "ids"),
    [
        (["PoolStats"], ["pool-keeper/1/1"]),
        (["poolstats", "PoolStatsRequest"], ["learner/1/1", "pool-keeper/1/1"]),
        (["--from", "learner", "--from", "pool-keeper"], ["learner/1/1", "pool-keeper/1/1"]),
        (["--to", "learner"], ["pool-keeper/1/1"]),
        (["--filter", "coherence>0.15"], ["dreamer/1/3"]),
        (["--filter", "request==7"], ["learner/1/1"]),
        (["--count", "2"], ["dreamer/1/1", "dreamer/1/2"]),
        (["--duration", "1.5"], ["dreamer/1/1", "dreamer/1/2"]),
        (["--since", "2030-03-17T17:46:43"], ["learner/1/1", "pool-keeper/1/1"]),
        (["--since", "2030-03-17T17:46:43", "--duration", "1"], ["learner/1/1"]),
    ],
)
def test_echo_chooses(run: WrittenRun, said: Said, options: list[str], ids: list[str]) -> None:
    assert [row["id"] for row in said.lines(*options)] == ids


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (["--from", "dremer"], "no actor 'dremer'"),
        (["--filter", "coherense>1"], "did you mean coherence"),
        (["--filter", "k ="], "column 3"),
        (["--follow"], "has ended"),
        (["Dream"], "no message is called 'Dream'"),
        (["--run", "2029"], "'2029' names no run"),
    ],
)
def test_echo_refuses_what_means_nothing(run: WrittenRun, said: Said, options: list[str], reason: str) -> None:
    assert said("echo", *options) == ""

    assert said.code == 2
    assert reason in said.err


def test_echo_never_shows_a_message_that_fails_its_checksum(run: WrittenRun, said: Said) -> None:
    run.flip("dreamer", -1)

    rows = said.lines("DreamEntry")

    assert [row["id"] for row in rows] == ["dreamer/1/1", "dreamer/1/2"]
    assert "dreamer/1/3" in said.err


def test_message_cannot_steer_the_terminal() -> None:
    assert brief("\x1b[2Jgone") == "\\x1b[2Jgone"


def test_echo_of_a_running_run_is_refused_where_it_would_never_end(home: Home, run: WrittenRun, said: Said) -> None:
    with supervised(home):
        said("echo")

    assert said.code == 2
    assert "--count" in said.err and "--duration" in said.err and "--no-follow" in said.err


def test_echo_of_a_running_run_begins_now_and_ends_in_time(home: Home, run: WrittenRun, said: Said) -> None:
    with supervised(home):
        assert said.lines("--duration", "0.01") == []
        assert len(said.lines("--no-follow")) == 5
        assert len(said.lines("--since", "2030-03-17T17:46:43", "--duration", "0.01")) == 2


def test_a_closed_run_is_shown_whole_though_its_supervisor_is_still_there(
    home: Home, run: WrittenRun, said: Said
) -> None:
    resolve_run(home, "latest").closed_file.write_text("{}")

    with supervised(home):
        assert len(said.lines()) == 5


def test_following_ends_with_the_run(home: Home, run: WrittenRun) -> None:
    chosen = choose_run(home, "latest")
    conversation = Conversation(run.folder)

    with supervised(home):
        assert is_live(chosen.folder)
        chosen.folder.closed_file.write_text("{}")
        steps = list(live_steps(chosen, conversation, None))

    assert len(steps) == 5


def test_rate_is_counted_by_whole_seconds() -> None:
    window = Window(time_ns(0), time_ns(4.5))
    times = [time_ns(at_s) for at_s in (0, 0.5, 2.1, 2.2, 2.9, 4.2, 9)]

    rate = rate_of(times, [1.0] * len(times), window)

    assert rate.mean == pytest.approx(6 / 4.5)
    assert (rate.low, rate.high) == (0, 3)
    assert rate.deviation == pytest.approx((((2 - 1.25) ** 2 + 1.25**2 + (3 - 1.25) ** 2 + 1.25**2) / 4) ** 0.5)
    assert largest_gap_s(times, window) == pytest.approx(1.6)


def test_rate_of_seconds_that_are_never_silent_has_its_least_above_0() -> None:
    times = [time_ns(at_s) for at_s in (0.1, 0.2, 1.1)]

    assert rate_of(times, [1.0] * 3, Window(time_ns(0), time_ns(2))) == (1.5, 1.0, 2.0, 0.5)


def test_rate_over_years_costs_no_more_than_its_messages() -> None:
    rate = rate_of([time_ns(1)], [1.0], Window(0, time_ns(1e9)))

    assert rate.high == 1 and rate.deviation is not None and rate.deviation < 1e-3


def test_rate_of_a_window_shorter_than_a_second_has_a_mean_alone() -> None:
    assert rate_of([time_ns(0.2)], [5.0], Window(time_ns(0), time_ns(0.5))) == (10.0, None, None, None)
    assert rate_of([], [], Window(time_ns(1), time_ns(1))).mean is None


def test_hz_and_bw_measure_the_whole_of_a_run_that_has_ended(run: WrittenRun, said: Said) -> None:
    frequency, bandwidth = said.tree("hz", "DreamEntry"), said.tree("bw", "DreamEntry")

    (row,), (bytes_row,) = frequency["topics"], bandwidth["topics"]
    assert frequency["window"]["seconds"] == 4.0
    assert (row["messages"], row["mean_hz"], row["min_hz"], row["max_hz"]) == (3, pytest.approx(0.75), 0, 1)
    size = said.lines("DreamEntry")[0]["bytes"]
    assert bytes_row["bytes"] == 3 * size
    assert bytes_row["mean_bytes_per_s"] == pytest.approx(0.75 * size)


def test_a_damaged_segment_head_does_not_move_the_beginning_of_a_run(run: WrittenRun, said: Said) -> None:
    run.flip("learner", 20)

    found = said.tree("hz")

    assert found["window"]["seconds"] == 4.0


def test_duration_measures_the_last_seconds(run: WrittenRun, said: Said) -> None:
    found = said.tree("hz", "--duration", "2.5")

    counts = {row["kind"]: row["messages"] for row in found["topics"]}
    assert (counts["DreamEntry"], counts["PoolStatsRequest"]) == (1, 1)


def test_hz_of_a_running_run_looks_at_the_last_seconds_without_waiting(home: Home, run: WrittenRun, said: Said) -> None:
    with supervised(home):
        found = said.tree("hz", "DreamEntry")

    assert found["is_live"]
    assert found["window"]["seconds"] <= LIVE_WINDOW_S
    assert found["topics"][0]["messages"] == 0


def test_the_newest_run_is_read_unless_one_is_named(home: Home, run: WrittenRun, said: Said) -> None:
    begin(home, 2).step("learner", 1, pool_keeper=PoolStatsRequest(request=1))

    assert len(said.lines()) == 1
    assert len(said.lines("--run", "20300317T174640Z-0001")) == 5
    assert len(said.lines("--run", "latest")) == 1
