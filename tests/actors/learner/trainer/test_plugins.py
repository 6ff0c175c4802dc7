"""Kinds come in from outside without touching ours (seed 002, section I, modularity)."""

import hashlib
from pathlib import Path
from typing import Literal

import pytest

from actors.learner.trainer.configuration.hashing import config_hash
from actors.learner.trainer.configuration.loading import config_of, open_config
from actors.learner.trainer.configuration.plugins import PluginError, blaming, digest_of_plugin, load_plugins
from actors.learner.trainer.model.backends import BackendError, backend_of
from actors.learner.trainer.model.port import ImageShape
from actors.learner.trainer.registry import MODELS, OPTIMIZERS, KindError, Registry
from actors.learner.trainer.streams import Streams
from actors.learner.trainer.training.optimizers import OptimizerRefusedError, optimizer_of
from schemas.base import Record
from schemas.errors import SettingsError

BASE = '[meta]\nname = "a"\nseed = 1\n[data]\nsource = "digits"\n[model]\nkind = "mlp"\n'
ODD = """
from typing import Literal
from actors.learner.trainer.registry import MODELS
from schemas.base import Record

class Odd(Record):
    kind: Literal["odd"] = "odd"

MODELS.register("odd", Odd, lambda settings, plan: None)
"""
PLUGIN = """
from typing import Literal
from actors.learner.trainer.registry import OPTIMIZERS
from schemas.base import Record

class Settings(Record):
    kind: Literal["{kind}"] = "{kind}"
    lr: float
    pull: float = 0.25

def build(settings, size=0):
    return ("built", settings.pull)

OPTIMIZERS.register("{kind}", Settings, build)
"""


class Mine(Record):
    kind: Literal["mine"] = "mine"
    size: int = 1


def build_mine(settings: Mine) -> int:
    return settings.size


def build_other(settings: Mine) -> int:
    return -settings.size


def configured(folder: Path, kind: str, source: str) -> Path:
    (folder / "pull.py").write_text(source, encoding="utf-8")
    path = folder / "train.toml"
    path.write_text(f'plugins = ["pull.py"]\n{BASE}[optimizer]\nkind = "{kind}"\nlr = 0.5\n', encoding="utf-8")
    return path


def test_a_plugin_file_adds_a_kind_with_its_own_strict_settings_and_is_recorded(tmp_path: Path) -> None:
    source = PLUGIN.format(kind="pulled")
    path = configured(tmp_path, "pulled", source)

    loaded = open_config(path)

    assert loaded.plugin_digests == {"pull.py": hashlib.sha256(source.encode()).hexdigest()}
    assert OPTIMIZERS.build(loaded.config.optimizer) == ("built", 0.25)
    assert loaded.config.model_dump()["optimizer"] == {"kind": "pulled", "lr": 0.5, "pull": 0.25}
    path.write_text(path.read_text(encoding="utf-8").replace("lr = 0.5", "lr = 0.5\npul = 1.0"), encoding="utf-8")
    with pytest.raises(SettingsError, match=r"optimizer\.pul: unknown key; did you mean pull\?"):
        open_config(path)


def test_a_changed_plugin_has_another_digest_and_replaces_itself(tmp_path: Path) -> None:
    source = PLUGIN.format(kind="changing")
    path = configured(tmp_path, "changing", source)
    before = open_config(path)

    configured(tmp_path, "changing", source.replace("0.25", "0.75"))
    after = open_config(path)

    assert before.plugin_digests != after.plugin_digests
    assert config_hash(before.config, "ab") != config_hash(after.config, "ab")


def test_a_plugin_leaves_the_hash_of_other_configurations_alone(tmp_path: Path) -> None:
    plain = {"meta": {"name": "a", "seed": 1}, "data": {"source": "digits"}}
    plain |= {"model": {"kind": "mlp"}, "optimizer": {"kind": "sgd"}}
    before = config_hash(config_of(plain), "ab")

    open_config(configured(tmp_path, "beside", PLUGIN.format(kind="beside")))

    assert config_hash(config_of(plain), "ab") == before


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("raise RuntimeError('no luck')", "pull.py: fails while it is loaded (RuntimeError: no luck)"),
        ("def broken(:", "pull.py: fails while it is loaded (SyntaxError"),
        ("import sys; sys.exit(0)", "pull.py: fails while it is loaded (SystemExit: 0)"),
        (PLUGIN.format(kind="sgd"), "optimizer: sgd is taken by"),
    ],
)
def test_a_plugin_that_fails_is_named_with_its_reason(tmp_path: Path, source: str, expected: str) -> None:
    path = configured(tmp_path, "sgd", source)

    with pytest.raises(SettingsError) as caught:
        open_config(path)

    assert expected in str(caught.value)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("no_such_module_at_all", "there is no module"),
        ("nowhere.py", "cannot be read"),
        ("sys", "has no source file"),
        ("no_such.module", "there is no such module"),
        ("..", "there is no such module"),
        ("", "there is no such module"),
    ],
)
def test_a_plugin_that_is_not_there_is_refused(tmp_path: Path, name: str, expected: str) -> None:
    path = tmp_path / "train.toml"
    path.write_text(f'plugins = ["{name}"]\n{BASE}[optimizer]\nkind = "sgd"\n', encoding="utf-8")

    with pytest.raises(SettingsError, match=expected):
        open_config(path)


def test_a_module_by_name_is_digested_over_all_of_its_source(tmp_path: Path) -> None:
    path = tmp_path / "train.toml"
    path.write_text(f'plugins = ["json"]\n{BASE}[optimizer]\nkind = "sgd"\n', encoding="utf-8")

    digests = open_config(path).plugin_digests

    assert list(digests) == ["json"]
    assert len(digests["json"]) == 64


def test_the_digest_of_a_plugin_can_be_had_without_running_it(tmp_path: Path) -> None:
    source = "raise RuntimeError('this was run')\n"
    (tmp_path / "pull.py").write_text(source, encoding="utf-8")

    assert digest_of_plugin("pull.py", tmp_path) == hashlib.sha256(source.encode()).hexdigest()
    assert digest_of_plugin("json", tmp_path) == load_plugins(["json"], tmp_path)["json"]


def test_a_package_has_another_digest_when_one_of_its_files_changes_or_moves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "pulling_package"
    package.mkdir()
    (package / "__init__.py").write_text("", encoding="utf-8")
    (package / "one.py").write_text("A = 1\n", encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    found = [digest_of_plugin(package.name, tmp_path)]

    (package / "one.py").write_text("A = 2\n", encoding="utf-8")
    found.append(digest_of_plugin(package.name, tmp_path))
    (package / "one.py").rename(package / "two.py")
    found.append(digest_of_plugin(package.name, tmp_path))

    assert len(set(found)) == len(found)


def test_a_plugin_that_fails_when_it_is_used_is_named_with_its_line(tmp_path: Path) -> None:
    path = configured(tmp_path, "late", PLUGIN.format(kind="late").replace("return (", "return (1 / 0, "))
    loaded = open_config(path)

    with pytest.raises(PluginError, match=r"pull\.py: fails in build, line 12 \(ZeroDivisionError: division by zero\)"):
        with blaming(loaded.plugin_digests):
            OPTIMIZERS.build(loaded.config.optimizer)


def test_what_is_no_fault_of_a_plugin_is_not_blamed_on_one(tmp_path: Path) -> None:
    loaded = open_config(configured(tmp_path, "innocent", PLUGIN.format(kind="innocent")))

    with pytest.raises(ZeroDivisionError), blaming(loaded.plugin_digests):
        _ = 1 / 0
    with pytest.raises(KindError, match="no known kind"), blaming(loaded.plugin_digests):
        OPTIMIZERS.get("nobody")


def test_a_kind_that_builds_something_else_is_refused(tmp_path: Path) -> None:
    loaded = open_config(configured(tmp_path, "else", PLUGIN.format(kind="else")))
    (tmp_path / "odd.py").write_text(ODD, encoding="utf-8")
    load_plugins(["odd.py"], tmp_path)

    with pytest.raises(OptimizerRefusedError, match="else builds a tuple, which is no Optimizer"):
        optimizer_of(loaded.config.optimizer, 3)
    with pytest.raises(BackendError, match="odd builds a NoneType, which is no Model"):
        backend_of("numpy").build(MODELS.get("odd").settings_type(), ImageShape(2, 2, 1), 2, Streams(0))


def test_a_name_is_given_once_and_the_same_registration_again_is_no_other() -> None:
    registry: Registry[int] = Registry("things")
    registry.register("mine", Mine, build_mine)
    registry.register("mine", Mine, build_mine)

    with pytest.raises(KindError, match="mine is taken by"):
        registry.register("mine", Mine, build_other)
    assert registry.build(Mine(size=4)) == 4


def test_names_and_settings_that_will_not_do_are_refused() -> None:
    class NoKind(Record):
        size: int = 1

    registry: Registry[int] = Registry("things")

    with pytest.raises(KindError, match="no name of a kind"):
        registry.register("Mine!", Mine, build_mine)
    with pytest.raises(KindError, match="have no field `kind`"):
        registry.register("mine", NoKind, build_mine)
    registry.register("mine", Mine, build_mine)
    with pytest.raises(KindError, match=r"'mien' is no known kind; did you mean mine\?"):
        registry.get("mien")
