"""The interface logs: append-only, and equal to what was committed."""

import json
from pathlib import Path
from typing import Any

import pytest

from actors.pool_keeper.interface_log import LOGS, InterfaceLog


def test_the_prefix_of_a_log_never_changes(keeper: Any, open_keeper: Any, dream: Any, query: Any) -> None:
    # seed 000, section 7: append-only
    folder = keeper.home / "logs" / "interface"
    earlier = dict.fromkeys(LOGS, b"")

    for number in range(6):
        keeper.dream(dream(number))
        keeper.ask(query())
        keeper.say(dream(number + 100), "dreamer")
        if number % 2:
            keeper.store.close()
            keeper = open_keeper()
        else:
            keeper.commit()
        now = {name: (folder / f"{name}.jsonl").read_bytes() for name in LOGS}
        assert all(now[name].startswith(earlier[name]) for name in LOGS)
        earlier = now

    assert len(earlier["persist"].splitlines()) == 9


def test_a_tail_that_was_never_committed_is_cut_and_named(keeper: Any, open_keeper: Any, dream: Any) -> None:
    # a crash between the write of the log and the COMMIT
    keeper.dream(dream(1))
    keeper.store.close()
    path = keeper.home / "logs" / "interface" / "persist.jsonl"
    committed = path.read_bytes()
    path.write_bytes(committed + b'{"event":"stored","id":"half a li')

    again = open_keeper()
    again.dream(dream(2))

    assert again.store.repairs == ("persist.jsonl: cut 33 bytes that were never committed",)
    assert path.read_bytes().startswith(committed)
    assert [line["id"] for line in again.log("persist")] == [dream(1).id, dream(2).id]


def test_a_shortened_log_is_reported_and_goes_on_with_a_whole_line(keeper: Any, open_keeper: Any, dream: Any) -> None:
    keeper.dream(dream(1), dream(2))
    keeper.store.close()
    path = keeper.home / "logs" / "interface" / "persist.jsonl"
    path.write_bytes(path.read_bytes()[:-10])

    again = open_keeper()
    again.dream(dream(3))
    again.dream(dream(4))

    assert "10 committed bytes are missing" in again.store.repairs[0]
    lines = path.read_text().splitlines()
    assert [json.loads(lines[i])["id"] for i in (0, 2, 3)] == [dream(1).id, dream(3).id, dream(4).id]
    again.store.close()
    assert open_keeper().store.repairs == ()


def test_a_new_pool_takes_older_logs_as_they_are(tmp_path: Path, open_keeper: Any, dream: Any) -> None:
    folder = tmp_path / "home" / "logs" / "interface"
    folder.mkdir(parents=True)
    (folder / "persist.jsonl").write_text('{"event":"from an older pool"}\n')

    keeper = open_keeper()
    keeper.dream(dream(1))

    assert [line["event"] for line in keeper.log("persist")] == ["from an older pool", "stored"]


def test_what_is_rolled_back_leaves_no_trace(tmp_path: Path) -> None:
    log = InterfaceLog(tmp_path, None, is_synced=True)
    log.append("kpi", {"n": 1})
    log.settle(log.write())
    log.append("kpi", {"n": 2})
    log.write()

    log.roll_back()
    log.append("kpi", {"n": 3, "text": "\ud800 ü"})
    log.settle(log.write())
    log.close()

    lines = (tmp_path / "kpi.jsonl").read_text().splitlines()
    assert [json.loads(line)["n"] for line in lines] == [1, 3]


def test_values_that_json_does_not_know_are_refused(tmp_path: Path) -> None:
    log = InterfaceLog(tmp_path, None, is_synced=False)

    with pytest.raises(ValueError, match="JSON"):
        log.append("kpi", {"n": float("nan")})

    log.close()
