"""Exports: an MCAP file that a public reader opens and validates, JSON Lines, whole files or none."""

import base64
import hashlib
import json
import sys
from pathlib import Path
from typing import Any

import jsonschema
import msgpack
import pytest
from mcap.reader import make_reader

from bus.codec import decode_body, encode_body, pack, payloads_of
from bus.core import Fired, MessageRef
from schemas.base import Message
from schemas.catalogue import CATALOGUE
from schemas.dreams import DreamEntry
from schemas.ids import RunId
from supervisor.cli import run_cli
from supervisor.errors import UsageError
from supervisor.home import Home
from supervisor.recorded.exporting import ExportRequest, export_run, json_lines_sink, mcap_sink, new_file
from supervisor.recorded.message_schema import message_schema
from supervisor.runs import RunFolder
from tests.recorded_run import Writer, flip, recorded_loop

RUN = RunId("20260101T000000Z-0001")


@pytest.fixture
def run(tmp_path: Path, examples: dict[str, Message]) -> RunFolder:
    """A run with every kind of message, and a dream that is named by its origin."""
    run = RunFolder(Home(tmp_path / "home"), RUN)
    run.path.mkdir(parents=True)
    run.manifest_file.write_text(json.dumps({"seed": 42, "fingerprint": {"cpu": "a cpu", "simd": ["A", "B"]}}))
    dream = examples["DreamEntry"]
    assert isinstance(dream, DreamEntry)
    recorded_loop(run.journal, dream, rounds=2)
    everybody = Writer(run.journal, "somebody")
    for kind in sorted(examples):
        everybody.step(Fired("say"), [("everybody", examples[kind])])
    everybody.stop()
    return run


def exported(run: RunFolder, output: Path, form: str = "mcap", *, is_forced: bool = False, **how: bool) -> Path:
    sink = mcap_sink(run) if form == "mcap" else json_lines_sink(has_payloads=how.get("has_payloads", False))
    export_run(ExportRequest(run, form, output, is_forced), sink)
    return output


def lines_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_every_message_of_an_mcap_file_decodes_and_validates_against_its_own_schema(
    run: RunFolder, tmp_path: Path
) -> None:
    path = exported(run, tmp_path / "run.mcap")
    kinds = set()

    with path.open("rb") as file:
        for schema, channel, record in make_reader(file, validate_crcs=True).iter_messages():
            assert schema is not None
            assert (schema.encoding, channel.message_encoding) == ("jsonschema", "msgpack")
            jsonschema.validate(msgpack.unpackb(record.data), json.loads(schema.data))
            kinds.add(schema.name)

    assert kinds == set(CATALOGUE)


def test_an_mcap_file_holds_every_message_whole_with_its_place_and_time(
    run: RunFolder, tmp_path: Path, examples: dict[str, Message]
) -> None:
    path = exported(run, tmp_path / "run.mcap")

    with path.open("rb") as file:
        found = [(channel, record) for _, channel, record in make_reader(file).iter_messages()]

    assert len(found) == 8 + len(examples)
    batches = [(channel, record) for channel, record in found if channel.topic == "pool-keeper/LearningBatch"]
    channel, record = batches[0]
    dream = examples["DreamEntry"]
    assert isinstance(dream, DreamEntry)
    assert msgpack.unpackb(record.data)["tensors"] == [dream.tensor_blob]
    assert channel.metadata == {
        "sender": "pool-keeper",
        "receiver": "learner",
        "kind": "LearningBatch",
        "version": "1",
        "epoch": "1",
    }
    assert record.sequence == 2
    assert record.log_time == record.publish_time
    assert [record.log_time for _, record in found] == sorted(record.log_time for _, record in found)


def test_an_mcap_file_has_one_chunk_a_message_and_tells_of_the_run(run: RunFolder, tmp_path: Path) -> None:
    path = exported(run, tmp_path / "run.mcap")

    with path.open("rb") as file:
        reader = make_reader(file)
        summary = reader.get_summary()
        metadata = {record.name: record.metadata for record in reader.iter_metadata()}

    assert summary is not None and summary.statistics is not None
    assert summary.statistics.chunk_count == summary.statistics.message_count
    assert metadata["run"] == {"run_id": RUN, "seed": "42"}
    assert metadata["fingerprint"] == {"cpu": "a cpu", "simd": "A B"}
    assert json.loads(metadata["manifest"]["json"])["seed"] == 42
    assert metadata["epoch learner/1"]["predecessor"] == "0/0"


@pytest.mark.parametrize("kind", sorted(CATALOGUE))
def test_a_schema_accepts_its_message_and_refuses_a_wrong_one(kind: str, examples: dict[str, Message]) -> None:
    schema = message_schema(CATALOGUE[kind])
    fields = msgpack.unpackb(pack(examples[kind]))
    first = next(iter(fields))

    validator = jsonschema.Draft202012Validator(schema)

    validator.check_schema(schema)
    assert validator.is_valid(fields)
    assert not validator.is_valid({**fields, "more": 1})
    assert not validator.is_valid({name: value for name, value in fields.items() if name != first})
    assert not validator.is_valid({**fields, first: {"another": "type"}})


@pytest.mark.parametrize("field", ["tensor_sha256", "tensor_blob"])
def test_bytes_pass_as_bytes_and_as_text_and_as_nothing_else(field: str, examples: dict[str, Message]) -> None:
    validator = jsonschema.Draft202012Validator(message_schema(DreamEntry))
    fields = msgpack.unpackb(pack(examples["DreamEntry"]))

    assert isinstance(fields[field], bytes)
    assert validator.is_valid(fields)
    assert validator.is_valid({**fields, field: base64.b64encode(fields[field]).decode()})
    assert not any(validator.is_valid({**fields, field: wrong}) for wrong in (None, 3, True, [1], {}))


def test_json_lines_tell_who_said_what_because_of_what(run: RunFolder, tmp_path: Path) -> None:
    lines = lines_of(exported(run, tmp_path / "run.jsonl", "jsonl"))

    by_id = {line["id"]: line for line in lines}
    answer = by_id["pool-keeper/1/3"]
    assert {name: answer[name] for name in answer if name not in {"body", "wall_ns"}} == {
        "id": "pool-keeper/1/3",
        "sender": "pool-keeper",
        "receiver": "learner",
        "kind": "PoolStats",
        "version": 1,
        "step": 5,
        "cause": "learner/1/2",
        "predecessor": "pool-keeper/1/2",
    }
    assert answer["body"]["request"] == 2
    assert (by_id["learner/1/1"]["cause"], by_id["learner/1/1"]["predecessor"]) == (None, None)
    assert [line["wall_ns"] for line in lines] == sorted(line["wall_ns"] for line in lines)


def test_json_lines_name_payloads_and_hold_them_where_that_is_wanted(
    run: RunFolder, tmp_path: Path, examples: dict[str, Message]
) -> None:
    dream = examples["DreamEntry"]
    assert isinstance(dream, DreamEntry)
    described = {"sha256": hashlib.sha256(dream.tensor_blob).hexdigest(), "size_bytes": len(dream.tensor_blob)}

    brief = lines_of(exported(run, tmp_path / "brief.jsonl", "jsonl"))
    whole = lines_of(exported(run, tmp_path / "whole.jsonl", "jsonl", has_payloads=True))

    (first, *_), (held, *_) = ([line for line in found if line["id"] == "dreamer/1/1"] for found in (brief, whole))
    assert first["body"]["tensor_blob"] == described
    assert held["body"]["tensor_blob"] == {**described, "base64": base64.b64encode(dream.tensor_blob).decode()}
    assert first["body"]["tensor_sha256"] == base64.b64encode(dream.tensor_sha256).decode()
    assert next(line for line in brief if line["kind"] == "LearningBatch")["body"]["tensors"] == [described]


def test_an_existing_file_is_replaced_only_on_request(run: RunFolder, tmp_path: Path) -> None:
    output = tmp_path / "run.jsonl"
    output.write_text("mine")

    with pytest.raises(UsageError, match="--force"):
        exported(run, output, "jsonl")
    untouched = output.read_text()
    exported(run, output, "jsonl", is_forced=True)

    assert untouched == "mine"
    assert len(lines_of(output)) > 8


def test_only_ordinary_files_are_written(run: RunFolder, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("somewhere")
    (tmp_path / "folder").mkdir()

    for name in ("link", "folder"):
        with pytest.raises(UsageError, match="not an ordinary file"):
            exported(run, tmp_path / name, "jsonl", is_forced=True)
    with pytest.raises(UsageError, match="no folder"):
        exported(run, tmp_path / "nowhere" / "run.jsonl", "jsonl")


def test_standard_output_is_refused_as_what_it_is(run: RunFolder, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["record", "export", "latest", "--home", str(run.home.root), "--format", "jsonl", "--output", "-"]

    code = run_cli(arguments)

    assert code == 2
    assert "it is no stream" in capsys.readouterr().err
    assert not Path("-").exists()


def test_an_export_that_fails_leaves_nothing_behind(tmp_path: Path) -> None:
    output = tmp_path / "run.jsonl"

    with pytest.raises(ZeroDivisionError):
        with new_file(output, is_forced=False) as file:
            file.write(b"half of it" * (1 // 0))

    assert list(tmp_path.iterdir()) == []


def test_a_file_that_appears_meanwhile_is_not_replaced(tmp_path: Path) -> None:
    output = tmp_path / "run.jsonl"

    with pytest.raises(UsageError, match="exists"):
        with new_file(output, is_forced=False):
            output.write_text("theirs")

    assert [path.read_text() for path in tmp_path.iterdir()] == ["theirs"]


def test_what_cannot_be_read_is_left_out_and_told_and_the_exit_code_is_3(
    run: RunFolder, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = next(run.journal.glob("dreamer/*.seg"))
    flip(path, path.stat().st_size - 500, 1)
    arguments = ["record", "export", RUN, "--home", str(run.home.root), "--format", "jsonl", "--json"]

    code = run_cli([*arguments, "--output", str(tmp_path / "run.jsonl")])

    told = json.loads(capsys.readouterr().out)
    lost = [text.split(" ")[0] for text in told["losses"]]
    assert code == 3
    assert lost == [f"dreamer/{path.name}", "pool-keeper/1/4"]
    assert told["messages"] == len(lines_of(tmp_path / "run.jsonl")) == 8 + len(CATALOGUE) - 2


def test_the_command_writes_both_formats_and_says_where(
    run: RunFolder, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for form in ("mcap", "jsonl"):
        output = tmp_path / f"run.{form}"

        code = run_cli(
            ["record", "export", "1", "--home", str(run.home.root), "--format", form, "--output", str(output)]
        )

        assert code == 0
        assert f"{output}: {8 + len(CATALOGUE)} messages" in capsys.readouterr().out


def test_an_mcap_export_without_the_package_says_what_to_install(
    run: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "mcap", None)
    monkeypatch.setitem(sys.modules, "mcap.writer", None)
    monkeypatch.delitem(sys.modules, "supervisor.recorded.mcap_export", raising=False)

    with pytest.raises(UsageError, match=r"oneiros\[export\]"):
        mcap_sink(run)


def test_a_body_that_was_exported_is_the_body_that_was_said(
    run: RunFolder, tmp_path: Path, examples: dict[str, Message]
) -> None:
    path = exported(run, tmp_path / "run.mcap")

    with path.open("rb") as file:
        for _, channel, record in make_reader(file).iter_messages(topics=[f"somebody/{kind}" for kind in CATALOGUE]):
            cls = CATALOGUE[channel.metadata["kind"]]
            fields = msgpack.unpackb(record.data, use_list=False)
            held = [fields.pop(name) for name in cls.payload_fields]
            payloads = held[0] if held and isinstance(held[0], tuple) else held
            again = decode_body(cls, msgpack.packb(fields), tuple(payloads), cls.version)
            assert encode_body(again) == encode_body(examples[cls.kind])
            assert list(payloads_of(again)) == list(payloads_of(examples[cls.kind]))


def test_a_cause_is_the_message_that_was_handled(run: RunFolder, tmp_path: Path) -> None:
    lines = lines_of(exported(run, tmp_path / "run.jsonl", "jsonl"))

    causes = {line["id"]: line["cause"] for line in lines if line["sender"] == "pool-keeper"}

    assert causes == {
        "/".join(map(str, MessageRef("pool-keeper", 1, seq))): f"learner/1/{(seq + 1) // 2}" for seq in range(1, 5)
    }
