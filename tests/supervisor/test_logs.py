"""Logs: read, merged, followed across a rotation, and safe for a terminal."""

import io
import json
import resource
from pathlib import Path

import pytest

from supervisor.console import Console
from supervisor.event_text import phrase_of
from supervisor.events import EventLog, copy_if_large, rotate_if_large
from supervisor.home import Home
from supervisor.log_lines import format_line, parse_line
from supervisor.log_tail import LogFilter, Tail, log_file, log_names, merged_history, rotated_files


def line(at_s: float, actor: str, event: str, level: str = "info") -> str:
    return format_line(at_s, level, actor, event, {}) + "\n"


def test_line_that_was_written_is_read_back() -> None:
    found = parse_line(format_line(1.5, "warning", "learner", "slow", {"after_ms": 3}), "other")

    assert (found.at_s, found.level, found.actor, found.event, found.fields) == (
        1.5,
        "warning",
        "learner",
        "slow",
        {"after_ms": 3},
    )


def test_line_that_is_no_json_is_shown_as_it_is() -> None:
    found = parse_line("Traceback (most recent call last):", "dreamer")

    assert found.to_text(is_coloured=False).endswith("dreamer          | Traceback (most recent call last):")
    assert json.loads(found.to_json())["raw"] == "Traceback (most recent call last):"


def test_indented_line_belongs_to_its_record_whatever_it_holds(tmp_path: Path) -> None:
    (tmp_path / "a.log").write_text(line(1.0, "a", "died") + "    " + line(0.5, "a", "earlier"))

    found = list(merged_history([((), Tail(tmp_path / "a.log"))]))

    assert [each.event for each in found] == ["died", ""]
    assert found[1].raw is not None and found[1].raw.startswith("    {")


def test_supervisor_speaks_in_phrases_and_keeps_its_fields_in_the_file() -> None:
    text = format_line(0.0, "info", "supervisor", "ready", {"of": "pool-keeper", "after_ms": 188})

    found = parse_line(text, "supervisor")

    assert found.to_text(is_coloured=False).endswith("| pool-keeper ready after 188 ms")
    assert json.loads(found.to_json())["after_ms"] == 188


def test_event_without_its_fields_or_without_a_phrase_is_shown_with_what_it_has() -> None:
    assert phrase_of("ready", {"of": "learner"}) is None
    assert phrase_of("unheard of", {}) is None
    assert phrase_of("stopping", {"reason": "for"}) == "stopping everything: the time given is over"


def test_line_cannot_steer_the_terminal() -> None:
    text = parse_line("\x1b[2Jgone", "dreamer").to_text(is_coloured=False)

    assert "\x1b" not in text


def test_colours_are_used_only_where_asked_for() -> None:
    found = parse_line(line(0.0, "learner", "x", "error"), "learner")

    assert "\x1b[" in found.to_text(is_coloured=True)
    assert "\x1b[" not in found.to_text(is_coloured=False)


def test_unknown_level_is_never_hidden() -> None:
    found = parse_line('{"event": "x", "level": "catastrophe"}', "learner")

    assert LogFilter(least_rank=3).wants(found)


def test_history_is_merged_by_time_and_a_traceback_stays_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "a.log").write_text(line(1.0, "a", "one") + "Traceback\n" + line(4.0, "a", "four"))
    (tmp_path / "b.log").write_text(line(2.0, "b", "two") + line(3.0, "b", "three"))

    lines = list(merged_history([((), Tail(tmp_path / name)) for name in ("a.log", "b.log")]))

    assert [found.event or found.raw for found in lines] == ["one", "Traceback", "two", "three", "four"]


def test_lines_are_filtered_by_actor_time_and_level() -> None:
    wanted = LogFilter(actors=("learner",), since_s=10.0, least_rank=2)

    assert wanted.wants(parse_line(line(10.0, "learner", "x", "warning"), ""))
    assert not wanted.wants(parse_line(line(9.9, "learner", "x", "warning"), ""))
    assert not wanted.wants(parse_line(line(10.0, "dreamer", "x", "warning"), ""))
    assert not wanted.wants(parse_line(line(10.0, "learner", "x", "info"), ""))


def test_half_a_line_waits_for_its_rest(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    whole = line(1.0, "a", "one")
    path.write_text(whole[:10])
    tail = Tail(path)
    assert tail.read_lines() == []

    with path.open("a") as file:
        file.write(whole[10:])

    assert [found.event for found in tail.read_lines()] == ["one"]


def test_following_loses_nothing_when_the_log_is_rotated(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    path.write_text(line(1.0, "a", "one"))
    tail = Tail(path)
    tail.read_lines()
    with path.open("a") as file:
        file.write(line(2.0, "a", "two"))

    rotate_if_large(path, limit_bytes=1)
    path.write_text(line(3.0, "a", "three"))

    assert [found.event for found in tail.read_lines()] == ["two", "three"]


def test_following_loses_nothing_when_the_log_of_a_boxed_actor_is_emptied_under_it(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    with path.open("a") as writer:
        writer.write(line(1.0, "a", "one"))
        writer.flush()
        tail = Tail(path)
        tail.read_lines()
        writer.write(line(2.0, "a", "two"))
        writer.flush()

        assert copy_if_large(path, limit_bytes=1)
        before = tail.read_lines()
        writer.write(line(3.0, "a", "three"))

    assert [found.event for found in before + tail.read_lines()] == ["two", "three"]
    assert [file.name for file in rotated_files(path)] == ["a.log.1"]


def test_a_disk_without_room_for_the_copy_takes_nothing_from_the_history(tmp_path: Path) -> None:
    log = tmp_path / "a.log"
    for name, size in (("a.log", 50_000), ("a.log.1", 10), ("a.log.2", 20), ("a.log.3", 30)):
        (tmp_path / name).write_bytes(b"x" * size)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)

    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, hard))
    try:
        for _ in range(2):
            with pytest.raises(OSError, match="too large"):
                copy_if_large(log, limit_bytes=1)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    sizes = {path.name: path.stat().st_size for path in tmp_path.iterdir()}
    assert sizes == {"a.log": 50_000, "a.log.1": 10, "a.log.2": 20, "a.log.3": 30}


def test_a_short_log_of_a_boxed_actor_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "a.log").write_text("x")

    assert not copy_if_large(tmp_path / "a.log", limit_bytes=1)
    assert not copy_if_large(tmp_path / "b.log", limit_bytes=1)


def test_rotation_keeps_three_files_and_the_newest_is_number_one(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    for number in range(6):
        path.write_text(f"{number}\n")
        assert rotate_if_large(path, limit_bytes=1)

    assert [file.read_text() for file in rotated_files(path)] == ["3\n", "4\n", "5\n"]
    assert sorted(file.name for file in tmp_path.iterdir()) == ["a.log.1", "a.log.2", "a.log.3"]


def test_small_log_and_missing_log_are_not_rotated(tmp_path: Path) -> None:
    (tmp_path / "a.log").write_text("x")

    assert not rotate_if_large(tmp_path / "a.log", limit_bytes=1)
    assert not rotate_if_large(tmp_path / "b.log", limit_bytes=1)


def test_events_go_to_the_new_file_after_a_rotation(tmp_path: Path) -> None:
    log = EventLog(tmp_path / "supervisor.log")
    log.say("info", "before")
    rotate_if_large(log.path, limit_bytes=1)
    log.reopen()

    log.say("info", "after")
    log.close()

    assert [found.event for found in Tail(log.path).read_lines()] == ["after"]


def test_every_actor_with_a_log_is_known(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.create()
    log_file(home, "learner").touch()
    log_file(home, "dreamer").touch()

    assert log_names(home.logs) == ["dreamer", "learner"]


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def test_console_prints_new_lines_from_info_up_and_no_old_ones(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    path.write_text(line(1.0, "a", "old"))
    stream = io.StringIO()
    console = Console(stream, [path], {})
    with path.open("a") as file:
        file.write(line(2.0, "a", "new") + line(3.0, "a", "secret", "debug"))

    console.turn(0.0, lambda: "status")

    assert "new" in stream.getvalue()
    assert "old" not in stream.getvalue()
    assert "secret" not in stream.getvalue()
    assert "status" not in stream.getvalue()


def test_status_line_comes_every_ten_seconds_where_there_is_no_terminal() -> None:
    stream = io.StringIO()
    console = Console(stream, [], {})

    for second in range(25):
        console.turn(float(second), lambda: "status")

    assert stream.getvalue() == "status\nstatus\n"


def test_status_line_stays_at_the_bottom_of_a_terminal(tmp_path: Path) -> None:
    stream = Terminal()
    path = tmp_path / "a.log"
    path.touch()
    console = Console(stream, [path], {"NO_COLOR": "1"})
    console.turn(0.0, lambda: "status")
    path.write_text(line(1.0, "a", "one"))

    console.turn(0.1, lambda: "status")

    assert stream.getvalue().endswith("one\nstatus")
    assert stream.getvalue().count("\x1b") == stream.getvalue().count("\x1b[K")
