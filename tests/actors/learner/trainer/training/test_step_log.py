"""The step log: canonical rows in a chain, on disk and back."""

import json
from pathlib import Path

import pytest

from actors.learner.trainer.training.log_file import StepLogFile, read_log
from actors.learner.trainer.training.step_log import (
    CANONICAL,
    FIRST_LINK,
    EpochRow,
    StepLog,
    StepLogError,
    StepRow,
    read_rows,
)
from tests.small_training import Kept, config, trainer


def rows(count: int = 5) -> list[StepRow]:
    return [
        StepRow(step, 0, step, loss, 0.1, 1e-7 * step, 20, 0, "ab" * 32)
        for step, loss in zip(range(count), (0.1 + 0.2, 1e22, 5e-324, 2.0, 1 / 3), strict=False)
    ]


def log_of(given: list[StepRow], rows_at_once: int = 2) -> tuple[Kept, StepLog]:
    kept = Kept()
    log = StepLog(kept, rows_at_once)
    for row in given:
        log.add(row)
    return kept, log


def test_rows_come_back_as_they_went_in_and_the_digest_covers_all_of_them() -> None:
    end = EpochRow(0, 5, 0.5, None, None, 0, "cd" * 32)
    kept, log = log_of([*rows(), end])

    back, digest = read_rows([f"{line}\n" for line in [*kept.lines]])

    assert log.count == 6
    assert list(back) == [*rows(), end]
    assert digest == log.digest
    assert log_of([*rows(4), rows()[4]._replace(loss=0.25), end])[1].digest != digest


def test_the_digest_does_not_depend_on_the_size_of_the_lots() -> None:
    assert len({log_of(rows(), lot)[1].digest for lot in (1, 2, 3, 64)}) == 1


def test_a_line_is_what_a_json_library_makes_of_it() -> None:
    kept, log = log_of(rows())
    log.flush()

    for line, row in zip(kept.lines, rows(), strict=True):
        told = json.loads(line)
        link = told.pop("link")
        assert told == {**row._asdict(), "row": "step"}
        assert line == f'{CANONICAL.encode(told)[:-1]},"link":"{link}"}}'


def test_any_altered_byte_is_found_at_its_step() -> None:
    kept = log_of(rows(3), rows_at_once=1)[0]
    lines = kept.lines
    text = lines[1]

    for place in range(len(text)):
        changed = text[:place] + chr(ord(text[place]) ^ 1) + text[place + 1 :]
        with pytest.raises(StepLogError) as raised:
            read_rows([lines[0], changed, lines[2]])
        assert raised.value.row == 1
    assert "step 1" in str(raised.value) or "after step 0" in str(raised.value)


@pytest.mark.parametrize(
    ("old", "new"), [('":', '": '), ("{", "{ "), ('"dreams":0', '"dreams":0,"dreams":0'), ("0.1", "1e-1")]
)
def test_a_line_that_says_the_same_in_another_way_is_refused(old: str, new: str) -> None:
    line = log_of(rows(1), rows_at_once=1)[0].lines[0]
    assert json.loads(line.replace(old, new, 1)) == json.loads(line)

    with pytest.raises(StepLogError, match="canonical form"):
        read_rows([line.replace(old, new, 1)])


def test_lines_that_are_left_out_doubled_or_exchanged_are_found() -> None:
    kept = log_of(rows(4), rows_at_once=1)[0]
    one, two, three, four = kept.lines

    for wrong, row in (([one, three, four], 1), ([one, one, two], 1), ([one, three, two, four], 1), ([two], 0)):
        with pytest.raises(StepLogError) as raised:
            read_rows(wrong)
        assert raised.value.row == row


@pytest.mark.parametrize(
    "line", ["", "{}", "[1]", "null", '{"row":"step"}', '{"row":"x","link":""}', "[" * 9999, "\ud800"]
)
def test_what_is_no_row_is_refused(line: str) -> None:
    with pytest.raises(StepLogError, match="line 1 "):
        read_rows([line])


def test_a_log_file_goes_on_from_a_row_and_cuts_off_what_came_after(tmp_path: Path) -> None:
    path, whole = tmp_path / "steps.jsonl", tmp_path / "whole.jsonl"
    for chosen in (path, whole):
        sink = StepLogFile(chosen)
        log = StepLog(sink, 1)
        for row in rows():
            log.add(row)
        sink.close()
    with path.open("ab") as file:
        file.write(b'{"batch":7,"torn')
    digest = read_rows(whole.read_text().splitlines()[:2])[1]

    sink = StepLogFile(path, 2, digest)
    log = StepLog(sink, 1)
    log.go_on_from(2, digest)
    for row in rows()[2:]:
        log.add(row)
    sink.close()

    assert path.read_bytes() == whole.read_bytes()
    assert read_log(path)[0] == tuple(rows())


def test_a_log_that_is_shorter_or_another_than_the_checkpoint_counts_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "steps.jsonl"
    sink = StepLogFile(path)
    log = StepLog(sink, 1)
    for row in rows(3):
        log.add(row)
    sink.close()
    before = path.read_bytes()

    with pytest.raises(StepLogError, match="4 rows are part of the checkpoint"):
        StepLogFile(path, 4, log.digest)
    with pytest.raises(StepLogError, match="not what the checkpoint ends with"):
        StepLogFile(path, 2, log.digest)
    with pytest.raises(StepLogError, match="cannot be read"):
        StepLogFile(tmp_path / "none.jsonl", 1, FIRST_LINK)
    assert path.read_bytes() == before


@pytest.mark.parametrize("bit", [0x01, 0x20, 0x80])
def test_any_altered_byte_of_the_file_is_found_in_its_line(tmp_path: Path, bit: int) -> None:
    path = tmp_path / "steps.jsonl"
    sink = StepLogFile(path)
    log = StepLog(sink, 1)
    for row in rows(3):
        log.add(row)
    sink.close()
    content, digest = path.read_bytes(), log.digest

    for place in range(0, len(content) - 1, 7):
        altered = bytearray(content)
        altered[place] ^= bit
        path.write_bytes(altered)
        with pytest.raises(StepLogError) as raised:
            read_log(path)
        assert raised.value.row == content.count(b"\n", 0, place)
        with pytest.raises(StepLogError):
            StepLogFile(path, 3, digest)


def test_a_torn_last_line_is_told(tmp_path: Path) -> None:
    path = tmp_path / "steps.jsonl"
    sink = StepLogFile(path)
    trainer(config(), sink).run()
    sink.close()
    path.write_bytes(path.read_bytes()[:-5])

    with pytest.raises(StepLogError, match="is cut"):
        read_log(path)
