"""Checkpoints: canonical bytes, verified on the way in, the last good one always there."""

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from actors.learner.trainer.training.checkpoint import Checkpoint, CheckpointRefusedError, pack, read, unpack
from actors.learner.trainer.training.keeping import Keeping
from actors.learner.trainer.training.log_file import StepLogFile, read_log
from actors.learner.trainer.training.step_log import Link
from actors.learner.trainer.training.trainer import Trainer
from tests.small_training import Kept, config, trainer

ROOT = Path(__file__).parents[5]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT)}
KILLED = """
import sys
from pathlib import Path
from actors.learner.trainer.training.log_file import StepLogFile
from tests.small_training import config, trainer
folder = Path(sys.argv[1])
chosen = config(training={"epochs": 1_000_000, "checkpoint_every": 1})
trainer(chosen, StepLogFile(folder / "steps.jsonl"), folder).run()
"""
FULL = """
import resource, signal, sys
from pathlib import Path
from tests.small_training import config, trainer
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (999, 999))
trainer(config(), folder=Path(sys.argv[1])).run(until=5)
"""


def paused(step: int = 3) -> Trainer:
    made = trainer(config(optimizer={"kind": "adamw"}, model={"kind": "mlp", "hidden": 6, "dropout": 0.2}))
    made.run(until=step)
    return made


def test_a_checkpoint_comes_back_as_it_was_and_equal_runs_write_equal_bytes() -> None:
    checkpoint = paused().checkpoint()

    content = pack(checkpoint)
    back = unpack(content, "memory")

    assert content == pack(paused().checkpoint())
    assert content != pack(paused(4).checkpoint())
    assert back.header == checkpoint.header
    for mine, theirs in ((back.model, checkpoint.model), (back.optimizer, checkpoint.optimizer)):
        assert list(mine) == list(theirs)
        assert all(mine[name].tobytes() == theirs[name].tobytes() for name in mine)


def test_a_checkpoint_holds_model_optimizer_generators_cursor_and_hash_of_the_configuration() -> None:
    made = paused()

    checkpoint = made.checkpoint()

    assert list(checkpoint.model) == ["w1", "b1", "w2", "b2"]
    assert list(checkpoint.optimizer) == ["first", "second"]
    header = checkpoint.header
    assert (header.step, header.epoch, header.batch, header.optimizer_steps) == (3, 0, 3, 3)
    assert [(name, at) for name, at, _ in header.generators] == [("dropout", (3,)), ("order", (0,))]
    assert header.config_hash == made.config_hash
    assert header.log_digest == made.log.digest


def test_everything_in_a_checkpoint_is_float32_and_nothing_else_goes_in() -> None:
    checkpoint = paused().checkpoint()
    arrays = (*checkpoint.model.values(), *checkpoint.optimizer.values())
    wide = {name: array.astype(np.float64) for name, array in checkpoint.model.items()}

    assert {array.dtype for array in arrays} == {np.dtype(np.float32)}
    with pytest.raises(ValueError, match="float32 alone"):
        pack(Checkpoint(checkpoint.header, wide, checkpoint.optimizer))  # type: ignore[arg-type]


def test_one_flipped_bit_anywhere_is_refused() -> None:
    content = bytearray(pack(paused().checkpoint()))

    for place in range(len(content)):
        content[place] ^= 1 << (place % 8)
        with pytest.raises(CheckpointRefusedError):
            unpack(bytes(content), "memory")
        content[place] ^= 1 << (place % 8)
    unpack(bytes(content), "memory")


@pytest.mark.parametrize("change", ["empty", "cut", "longer", "no file", "folder"])
def test_what_is_no_whole_checkpoint_is_refused_with_its_path(change: str, tmp_path: Path) -> None:
    content, path = pack(paused().checkpoint()), tmp_path / "step-0000000003.ckpt"
    match change:
        case "folder":
            path.mkdir()
        case "empty" | "cut" | "longer":
            path.write_bytes({"empty": b"", "cut": content[:-40], "longer": content + b"\0"}[change])

    with pytest.raises(CheckpointRefusedError, match=r"step-0000000003\.ckpt"):
        read(path)


def test_a_flipped_byte_in_the_newest_file_leaves_the_one_before_it(tmp_path: Path) -> None:
    made = trainer(config(), folder=tmp_path)
    for step in (2, 3):
        made.run(until=step)
    newest, before = Keeping(tmp_path, 2).paths()
    content = bytearray(newest.read_bytes())
    content[len(content) // 2] ^= 4
    newest.write_bytes(content)

    found = Keeping(tmp_path, 2).newest()

    assert found.path == before
    assert [error.path for error in found.passed_over] == [str(newest)]
    with pytest.raises(CheckpointRefusedError, match="altered or cut"):
        trainer(config()).resume(newest)


def test_only_so_many_checkpoints_are_kept_and_never_fewer_than_the_newest(tmp_path: Path) -> None:
    made = trainer(config(training={"checkpoint_every": 1, "keep_checkpoints": 3}), folder=tmp_path)
    made.run()

    assert [int(path.stem[5:]) for path in Keeping(tmp_path, 3).paths()] == [10, 9, 8]
    (tmp_path / "step-0000000099.ckpt").write_bytes(b"damaged, and later than what comes now")
    keeping = Keeping(tmp_path, 1)
    keeping.save(paused().checkpoint())
    assert keeping.newest().path == tmp_path / "step-0000000003.ckpt"


def test_a_disk_that_is_full_leaves_the_last_good_checkpoint(tmp_path: Path) -> None:
    keeping = Keeping(tmp_path, 1)
    path = keeping.save(paused().checkpoint())

    done = _python(FULL, tmp_path)

    assert done.returncode != 0
    assert b"File too large" in done.stderr
    assert [found.name for found in tmp_path.iterdir()] == [path.name]
    assert keeping.newest().path == path


def test_a_writer_killed_at_any_moment_leaves_a_whole_checkpoint_from_which_the_run_goes_on_as_if_nothing_was(
    tmp_path: Path,
) -> None:
    chosen = config(training={"epochs": 1_000_000, "checkpoint_every": 1})
    for number in range(2):
        folder = tmp_path / str(number)
        _kill_after(folder, step=5 + 13 * number)

        found = Keeping(folder, 2).newest()
        assert found.checkpoint is not None
        assert found.path is not None
        assert found.passed_over == ()
        header = found.checkpoint.header
        sink = StepLogFile(folder / "steps.jsonl", header.log_rows, header.log_digest)
        again = trainer(chosen, sink, folder)
        again.resume(found.path)
        outcome = again.run(until=header.step + 3)
        sink.close()

        assert outcome == trainer(chosen).run(until=header.step + 3)
        assert read_log(sink.path)[1] == outcome.log_digest
        assert not list(folder.glob(".*"))


def _kill_after(folder: Path, step: int) -> None:
    """Let a run write a checkpoint at every step into `folder`, and kill it some time after `step`."""
    folder.mkdir()
    command = [sys.executable, "-c", KILLED, str(folder)]
    child = subprocess.Popen(command, cwd=ROOT, env=ENVIRONMENT)
    try:
        while Keeping(folder, 9).paths()[:1] < (folder / f"step-{step:010d}.ckpt",):
            assert child.poll() is None
    finally:
        child.send_signal(signal.SIGKILL)
        child.wait(timeout=30)


def _python(code: str, folder: Path) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-c", code, str(folder)]
    return subprocess.run(command, cwd=ROOT, env=ENVIRONMENT, capture_output=True, timeout=60, check=False)


def test_a_checkpoint_that_would_go_on_with_other_draws_is_refused(tmp_path: Path) -> None:
    made = trainer(config(), folder=tmp_path)
    made.run(until=3)
    checkpoint = made.checkpoint()
    others = tuple((name, counters, seed[::-1]) for name, counters, seed in checkpoint.header.generators)
    path = tmp_path / "other.ckpt"
    path.write_bytes(pack(replace(checkpoint, header=replace(checkpoint.header, generators=others))))

    with pytest.raises(CheckpointRefusedError, match="begins with another generator dropout; draws would differ"):
        trainer(config()).resume(path)


@dataclass
class Durable(Kept):
    """Looks, whenever something reaches it, whether the newest checkpoint counts rows that are not durable yet."""

    folder: Path = Path()
    durable: int = 0
    looked: int = 0

    def take(self, links: Sequence[Link]) -> None:
        self._look()
        super().take(links)

    def settle(self) -> None:
        self._look()
        self.durable = len(self.links)

    def _look(self) -> None:
        newest = Keeping(self.folder, 1).newest().checkpoint
        if newest is not None:
            self.looked += 1
            assert newest.header.log_rows <= self.durable


def test_the_log_is_durable_before_a_checkpoint_counts_its_rows(tmp_path: Path) -> None:
    sink = Durable(folder=tmp_path)

    trainer(config(training={"checkpoint_every": 2}), sink, tmp_path).run()

    assert sink.looked > 2
    assert sink.durable == len(sink.links)
