"""Proves a run again: trains it from its manifest and its data, and compares every hash.

In: the folder of a run, of which the manifest and the pinned dreams are needed and nothing else. Out: `Replay`: the
same, or what differs, and the first step that does where the step log is there. Refused, each with a code of its own:
stored things that were altered, before any step (3); a run that cannot be repeated here, with the field that differs
(5).
"""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from actors.learner.trainer.configuration.loading import LoadedConfig, config_from_canonical
from actors.learner.trainer.configuration.plugins import PluginError, blaming, digest_of_plugin
from actors.learner.trainer.model.backends import BackendError, backend_of
from actors.learner.trainer.model.threads import ThreadsError
from actors.learner.trainer.reports.plots import NAMES, matplotlib_version
from actors.learner.trainer.reports.writing import NOT_WANTED, render
from actors.learner.trainer.training.checkpoint import pack
from actors.learner.trainer.training.log_file import read_log
from actors.learner.trainer.training.step_log import Link, Row, StepLogError
from actors.learner.trainer.training.stopping import StopReason
from schemas.errors import OneirosError
from supervisor.errors import SupervisorError
from supervisor.training.conducting import read_pins
from supervisor.training.execution import Execution, ended
from supervisor.training.preparing import Prepared, prepare
from supervisor.training.run_folder import TrainingFolder
from supervisor.training.run_manifest import RunResult, TrainingManifest, config_bytes, read_manifest
from supervisor.training.verifying import StepPlace, place_of

EXIT_DIVERGED: Final = 4
EXIT_NOT_HERE: Final = 5
PLOTTED: Final = frozenset(NAMES)


class NotHereError(SupervisorError):
    """A run cannot be repeated on this machine, or with this data."""

    exit_code = EXIT_NOT_HERE

    def __init__(self, name: str, there: str, here: str) -> None:
        self.field = name
        self.there = there
        self.here = here
        super().__init__(
            f"not replayable here: {name} is {there or 'nothing'} in the manifest and {here or 'nothing'} here"
        )


@dataclass
class Replay:
    """What came of it."""

    run_id: str
    steps: int
    same: list[str] = field(default_factory=list)
    """Names of the hashes that are found again."""
    differing: dict[str, tuple[str, str]] = field(default_factory=dict)
    """Name to the hash of the manifest and that of the replay."""
    not_compared: dict[str, str] = field(default_factory=dict)
    first_differing: StepPlace | None = None

    @property
    def exit_code(self) -> int:
        """0 the same, 4 not."""
        return EXIT_DIVERGED if self.differing or self.first_differing else 0

    def tree(self) -> dict[str, Any]:
        """As one JSON object."""
        place = self.first_differing
        return {
            "run_id": self.run_id,
            "identical": self.exit_code == 0,
            "steps": self.steps,
            "same": self.same,
            "differing": {name: {"run": there, "replay": here} for name, (there, here) in self.differing.items()},
            "not_compared": self.not_compared,
            "first_differing": None
            if place is None
            else {"line": place.line, "epoch": place.epoch, "step": place.step},
        }

    def text(self) -> Iterator[str]:
        """Lines for a person."""
        yield f"{self.run_id}: {'identical' if self.exit_code == 0 else 'DIVERGED'} after {self.steps} steps"
        yield f"  the same: {', '.join(self.same) or 'nothing'}"
        if self.first_differing is not None:
            yield f"  the first differing step: {self.first_differing}"
        yield from (f"  {name}: {there} in the run, {here} now" for name, (there, here) in self.differing.items())
        yield from (f"  not compared: {name}: {reason}" for name, reason in self.not_compared.items())


@dataclass
class _Compare:
    """A sink that compares rows with those of the run, and tells how far it is."""

    expected: Sequence[Row]
    tell: Callable[[int], None]
    seen: int = 0
    first: int | None = None

    def take(self, links: Sequence[Link]) -> None:
        """See `Sink`."""
        for link in links:
            if self.first is None and self.seen < len(self.expected) and link.row != self.expected[self.seen]:
                self.first = self.seen
            self.seen += 1
        self.tell(self.seen)

    def settle(self) -> None:
        """See `Sink`; there is nothing to make durable."""


def replay(folder: TrainingFolder, tell: Callable[[int], None], base: Path | None = None) -> Replay:
    """Repeat the run in `folder`; raises DamagedError and NotHereError, before any step."""
    manifest = read_manifest(folder)
    result = manifest.result
    if result is None:
        raise NotHereError("result", "", "needed; `supervisor train CONFIG --resume` finishes the run")
    loaded = _configuration(manifest, base)
    with blaming(loaded.plugin_digests):
        return _repeat(folder, tell, manifest, result, loaded)


def _repeat(
    folder: TrainingFolder,
    tell: Callable[[int], None],
    manifest: TrainingManifest,
    result: RunResult,
    loaded: LoadedConfig,
) -> Replay:
    pins = read_pins(folder, manifest)
    prepared = _prepared(loaded, manifest)
    expected, unread = _expected(folder)
    compare = _Compare(expected, tell)
    _check_machine(manifest, _machine(prepared))
    execution = Execution(prepared, compare, pins)
    is_failure = result.reason in {reason.value for reason in StopReason if reason.is_failure}
    outcome = execution.run(None if is_failure else result.steps)
    execution.trainer.log.flush()
    found = Replay(folder.run_id, outcome.step)
    if unread:
        found.not_compared[folder.steps_file.name] = unread
    if compare.first is not None:
        found.first_differing = place_of(compare.first, manifest.run.batches_per_epoch)
    told = execution.told(ended(outcome, result.reason))
    rendered = render(told, _no_plots(manifest, result, found))
    hashes = {
        "weights": (result.weights_sha256, outcome.weights_sha256),
        "step_log": (result.log_digest, outcome.log_digest),
        "steps": (str(result.steps), str(outcome.step)),
    }
    if result.checkpoint_sha256 is not None:
        packed = pack(execution.trainer.checkpoint())
        hashes["checkpoint"] = (result.checkpoint_sha256, hashlib.sha256(packed).hexdigest())
    if result.feedback_sha256 is not None:
        hashes["feedback"] = (result.feedback_sha256, execution.feedback_sha256 or "")
    for name in sorted(result.reports):
        if name in rendered.files:
            hashes[name] = (result.reports[name], hashlib.sha256(rendered.files[name]).hexdigest())
    _compare(found, hashes)
    return found


def _compare(found: Replay, hashes: dict[str, tuple[str, str]]) -> None:
    for name, (there, here) in hashes.items():
        if there == here:
            found.same.append(name)
        else:
            found.differing[name] = (there, here)


def _configuration(manifest: TrainingManifest, base: Path | None) -> LoadedConfig:
    """The stored configuration with its plug-ins, whose source must be the same."""
    place = base or Path(manifest.envelope.base)
    for name, there in manifest.run.plugins.items():  # before any of it is run
        try:
            here = digest_of_plugin(name, place)
        except PluginError as error:
            raise NotHereError(f"plugins.{name}", there, f"not to be had ({error})") from error
        if here != there:
            raise NotHereError(f"plugins.{name}", there, here)
    return config_from_canonical(config_bytes(manifest.run), place)


def _prepared(loaded: LoadedConfig, manifest: TrainingManifest) -> Prepared:
    """The data, which must be the same."""
    try:
        prepared = prepare(loaded, None)
    except (OneirosError, OSError) as error:
        raise NotHereError("data", manifest.run.dataset_digest, f"not to be had ({error})") from error
    run = manifest.run
    token_log = None if prepared.token_log is None else prepared.token_log.sha256
    for name, there, here in (
        ("dataset_digest", run.dataset_digest, prepared.dataset.digest),
        ("splits_digest", run.splits_digest, prepared.splits.digest),
        ("token_log_sha256", run.token_log_sha256 or "", token_log or ""),
    ):
        if there != here:
            raise NotHereError(name, there, here)
    return prepared


def _machine(prepared: Prepared) -> dict[str, str]:
    backend = prepared.config.training.backend
    try:
        return backend_of(backend).fingerprint()
    except (BackendError, ThreadsError) as error:
        raise NotHereError("training.backend", backend, f"not to be had ({error})") from error


def _check_machine(manifest: TrainingManifest, here: dict[str, str]) -> None:
    there = manifest.run.machine
    for name in sorted(there.keys() | here.keys()):
        if there.get(name) != here.get(name):
            raise NotHereError(f"machine.{name}", there.get(name, ""), here.get(name, ""))


def _expected(folder: TrainingFolder) -> tuple[tuple[Row, ...], str]:
    """The rows of the run, or why there are none to compare; the digest in the manifest counts either way."""
    if not folder.steps_file.exists():
        return (), "it is gone; the manifest has its digest"
    try:
        return read_log(folder.steps_file)[0], ""
    except StepLogError as error:
        return (), str(error)


def _no_plots(manifest: TrainingManifest, result: RunResult, found: Replay) -> str:
    """Why no plots are drawn; each that the run has is then not compared."""
    there, here = manifest.run.versions.get("matplotlib", ""), matplotlib_version()
    plots = sorted(PLOTTED & result.reports.keys())
    if not plots:
        return NOT_WANTED
    if there == here:
        return ""
    reason = f"matplotlib {there} there, {here or 'none'} here"
    found.not_compared.update(dict.fromkeys(plots, reason))
    return reason
