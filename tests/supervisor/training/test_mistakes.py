"""What a user gives wrongly is refused with exit code 2 before the first step; a plug-in at fault is named."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from actors.learner.trainer.configuration.loading import open_config
from supervisor.home import Home
from supervisor.training.conducting import Company, begin
from tests.supervisor.training.conftest import SMALL, Workshop

PLUGIN = """
from typing import Literal
from actors.learner.trainer.registry import OPTIMIZERS
from actors.learner.trainer.training.optimizers import Optimizer
from schemas.base import Record

class Settings(Record):
    kind: Literal["{kind}"] = "{kind}"
    lr: float

class Plain(Optimizer):
    def __init__(self, settings, size):
        super().__init__(size)
        self.pull = {pull}

    def _move(self, weights, gradient, rate):
        weights -= gradient * type(weights[0])(rate * self.pull)

OPTIMIZERS.register("{kind}", Settings, Plain)
"""
DIGITS = 'source = "digits"\nlimit = 160'


def reading(workshop: Workshop, data: str, name: str = "read.toml") -> Path:
    """A configuration with another section `data`."""
    return workshop.write(SMALL.replace(DIGITS, data), name)


def plugged(workshop: Workshop, kind: str, pull: str = "1.0") -> Path:
    """A configuration with an optimizer from beside it."""
    (workshop.folder / "pull.py").write_text(PLUGIN.format(kind=kind, pull=pull))
    return workshop.write('plugins = ["pull.py"]\n' + SMALL.replace('kind = "sgd"', f'kind = "{kind}"'), "plugged.toml")


def test_pictures_in_class_folders_are_learnt_from_by_the_command(workshop: Workshop) -> None:
    rng = np.random.default_rng(3)
    for name in ("cat", "dog", "\u732b"):
        (workshop.folder / "pictures" / name).mkdir(parents=True)
        for number in range(8):
            pixels = rng.integers(0, 256, (9, 7, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(workshop.folder / "pictures" / name / f"{number}.png")

    folder, tree = workshop.train(reading(workshop, 'source = "folders"\nroot = "pictures"\nrows = 6\ncols = 6'))

    assert tree["status"] == "complete"
    assert workshop.answer("replay", folder.run_id)["identical"]


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ('source = "folders"\nroot = "nowhere"', "nowhere cannot be read"),
        ('source = "npz"\nroot = "nowhere.npz"', "nowhere.npz: cannot be read"),
        ('source = "npz"', "data.root is empty"),
        ('source = "idx"\nroot = "."', "no training files"),
        ('source = "patches"\nroot = "read.toml"', "is no input set"),
        ('source = "patches"\nroot = "nowhere"', "cannot be read"),
    ],
)
def test_data_that_cannot_be_had_is_a_mistake_in_what_was_given(workshop: Workshop, data: str, said: str) -> None:
    code, _, error = workshop.do(reading(workshop, data))

    assert code == 2
    assert said in error
    assert workshop.answer("list") == {"runs": []}


def test_a_model_that_cannot_be_built_is_a_mistake_in_what_was_given(workshop: Workshop) -> None:
    code, _, error = workshop.do(workshop.write(SMALL.replace('kind = "mlp"\nhidden = 12', 'kind = "transformer"')))

    assert code == 2
    assert "model.kind: the back end numpy has no transformer" in error


def test_a_plugin_that_fails_while_it_builds_or_steps_is_named_and_no_traceback_is_shown(workshop: Workshop) -> None:
    built, _, while_built = workshop.do(plugged(workshop, "built", "1 / 0"))
    stepped, _, while_stepping = workshop.do(plugged(workshop, "stepped", "None"))

    assert (built, stepped) == (2, 1)
    assert "plugins: pull.py: fails in __init__, line 14 (ZeroDivisionError" in while_built
    assert "plugins: pull.py: fails in _move, line 17 (TypeError" in while_stepping


def test_a_plugin_that_changed_is_told_by_a_replay_that_runs_none_of_it(workshop: Workshop) -> None:
    folder, _ = workshop.train(plugged(workshop, "changed"))
    mark = workshop.folder / "was_run"
    plugin = workshop.folder / "pull.py"

    plugin.write_text(f"open({str(mark)!r}, 'w')\nraise RuntimeError\n")
    changed = workshop.do("replay", folder.run_id)
    plugin.unlink()
    gone = workshop.do("replay", folder.run_id)

    assert (changed[0], gone[0]) == (5, 5)
    assert "not replayable here: plugins.pull.py is" in changed[2]
    assert "not to be had" in gone[2]
    assert not mark.exists()


def test_a_run_does_not_go_on_with_another_source_of_its_plugin(workshop: Workshop, stop_after) -> None:
    path = plugged(workshop, "resumed")
    begin(open_config(path), Home(workshop.home), Company(should_stop=stop_after(2)))

    code, _, error = workshop.do(plugged(workshop, "resumed", "2.0"), "--resume")

    assert code == 2
    assert "began with another source of pull.py" in error
    assert workshop.train(plugged(workshop, "resumed"), "--resume")[1]["status"] == "complete"
