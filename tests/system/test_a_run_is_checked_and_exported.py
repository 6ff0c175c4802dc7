"""A run of real processes is whole, live and ended; its export opens elsewhere; a flipped bit is found."""

import json
import random
from pathlib import Path

import jsonschema
import msgpack
import pytest
from mcap.reader import make_reader

from supervisor.cli import run_cli
from tests.recorded_run import flip

pytestmark = pytest.mark.system


def verdict(house, capsys: pytest.CaptureFixture[str], *options: str):
    capsys.readouterr()
    code = run_cli(["record", "verify", "--json", "--home", str(house.home), *options])
    return code, json.loads(capsys.readouterr().out)


def validated(path: Path) -> list[str]:
    """The topic of every message in an MCAP file, each decoded and held against its own schema."""
    topics, validators = [], {}
    with path.open("rb") as file:
        for schema, channel, message in make_reader(file, validate_crcs=True).iter_messages():
            if schema.id not in validators:
                validators[schema.id] = jsonschema.Draft202012Validator(json.loads(schema.data))
            validators[schema.id].validate(msgpack.unpackb(message.data))
            topics.append(channel.topic)
    return topics


def test_a_run_is_whole_live_and_ended_and_every_message_of_its_export_validates(
    house, tmp_path: Path, capsys: pytest.CaptureFixture[str], record_property
) -> None:
    house.up("--set=dreamer.rate_hz=60", "--set=learner.rounds_hz=30", "--set=learner.test_per_class=8")
    house.until(lambda: house.figure("learner.epochs") >= 1 and house.figure("bias.profiles") >= 1)
    live_code, live = verdict(house, capsys)
    house.stop()
    code, ended = verdict(house, capsys, "--deep")
    output = tmp_path / "run.mcap"
    export_code = run_cli(
        ["record", "export", "latest", "--home", str(house.home), "--format", "mcap", "--output", str(output)]
    )
    seed = random.randrange(2**32)
    record_property("seed", seed)

    assert (live_code, live["verdict"]) == (0, "whole"), live
    assert (code, ended["verdict"]) == (0, "whole"), ended
    assert "pool-keeper" not in {stream["receiver"] for stream in ended["unread"]}, ended
    assert all(segment["is_closed"] for segment in ended["segments"])
    assert export_code == 0
    topics = validated(output)
    assert len(topics) == sum(segment["messages"] for segment in ended["segments"])
    assert {"dreamer/DreamEntry", "pool-keeper/LearningBatch", "bias-synthesizer/BiasProfile"} <= set(topics)
    for path, offset, bit in flips(house.home, random.Random(seed)):
        flip(path, offset, bit)
        flipped_code, flipped = verdict(house, capsys)
        flip(path, offset, bit)
        assert flipped_code == 3
        assert is_found(flipped, path, offset), (path, offset, bit)


def flips(home: Path, moments: random.Random) -> list[tuple[Path, int, int]]:
    """A bit of each segment."""
    paths = sorted(home.glob("journal/*/*/*.seg"))
    return [(path, moments.randrange(path.stat().st_size), moments.randrange(8)) for path in paths]


def is_found(tree, path: Path, offset: int) -> bool:
    (segment,) = [row for row in tree["segments"] if (row["actor"], row["segment"]) == (path.parent.name, path.name)]
    return any(found["offset"] <= offset < found["offset"] + found["size"] for found in segment["findings"])
