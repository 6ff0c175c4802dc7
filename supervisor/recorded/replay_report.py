"""The replay of a run as a user sees it: all actors, two at a time, verdicts, warnings, one exit code.

In: a home, the name of a run, what to replay. Out: a `ReplayReport`. It says what differs between this machine
and the one that recorded, before it blames a divergence on the code. Refuses actors that the run does not have, and a
run of which nothing is left to replay. Interrupted, it takes the replaying processes with it.
"""

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from subprocess import Popen
from typing import Any, ClassVar, Final

from bus.recording import Recording
from schemas.manifest import RunManifest
from supervisor.crash_report import exit_text
from supervisor.errors import SupervisorError, UsageError
from supervisor.home import Home
from supervisor.manifest import take_fingerprint
from supervisor.recorded.endings import has_begun
from supervisor.recorded.recordings import read_facts, read_pruned
from supervisor.recorded.replaying import ReplayRequest, start_replay
from supervisor.runs import RunFolder, resolve_run

AT_ONCE: Final = 2
EXIT_IDENTICAL: Final = 0
EXIT_DAMAGED: Final = 3
EXIT_DIVERGED: Final = 4
EXIT_UNREPLAYABLE: Final = 5
DECISIVE: Final = ("cpu", "machine", "python", "numpy", "simd", "blas")
"""Parts of the fingerprint that can change the bits of a result; the version of oneiros is code, and is only said."""

Tree = dict[str, Any]
Show = Callable[[str, int], None]
"""Called with an actor and the number of a step."""


class UnreplayableError(SupervisorError):
    """A run of which nothing can be replayed."""

    exit_code: ClassVar[int] = EXIT_UNREPLAYABLE

    def __init__(self, run_id: str, problem: str) -> None:
        self.run_id = run_id
        self.problem = problem
        super().__init__(f"run {run_id} cannot be replayed: {problem}; `supervisor record list` shows what there is")


@dataclass
class ReplayReport:
    """What the replay of a run showed."""

    run_id: str
    ulp_tolerance: int
    warnings: list[str] = field(default_factory=list)
    is_other_machine: bool = False
    verdicts: list[Tree] = field(default_factory=list)

    @property
    def exit_code(self) -> int:
        """0 identical, 3 damaged, 4 diverged, 5 not replayable here."""
        if any("unreplayable" in verdict for verdict in self.verdicts):
            return EXIT_UNREPLAYABLE
        if any(verdict["damage"] for verdict in self.verdicts):
            return EXIT_DAMAGED
        if all(verdict["is_identical"] for verdict in self.verdicts):
            return EXIT_IDENTICAL
        return EXIT_UNREPLAYABLE if self.is_other_machine else EXIT_DIVERGED

    def tree(self) -> Tree:
        """The report as a JSON object."""
        return {
            "run_id": self.run_id,
            "exit_code": self.exit_code,
            "is_identical": self.exit_code == EXIT_IDENTICAL,
            "ulp_tolerance": self.ulp_tolerance,
            "warnings": self.warnings,
            "actors": self.verdicts,
        }


@dataclass(frozen=True)
class Wanted:
    """What is to be replayed, and how."""

    actors: tuple[str, ...] = ()
    """Names of actors; empty for all."""
    until: int | None = None
    from_snapshot: bool = False
    ulp_tolerance: int = 0


def replay_run(home: Home, run: str, wanted: Wanted, is_terminal: bool = False) -> ReplayReport:
    """Replay the actors of a run, or those that are named."""
    folder = resolve_run(home, run)
    manifest = _manifest(folder)
    _refuse_unrecorded(folder, manifest)
    names = _names(manifest, wanted.actors)
    report = ReplayReport(folder.run_id, wanted.ulp_tolerance)
    _warn(report, folder, manifest)
    how = (wanted.until, wanted.from_snapshot, wanted.ulp_tolerance)
    requests = [ReplayRequest(home.root, folder.run_id, name, *how) for name in names]
    with _progress(is_terminal and sys.stderr.isatty()) as show:
        for at in range(0, len(requests), AT_ONCE):
            report.verdicts += _replay_together(requests[at : at + AT_ONCE], show)
    return report


def _replay_together(requests: Sequence[ReplayRequest], show: Show) -> list[Tree]:
    """The verdicts on `requests`, each from a process of its own; none of them outlives an interruption."""
    children: list[Popen[str]] = []
    try:
        children.extend(start_replay(request) for request in requests)
        return [_verdict(request, child, show) for request, child in zip(requests, children, strict=True)]
    finally:
        for child in children:
            child.kill()
            child.communicate()


def _manifest(folder: RunFolder) -> RunManifest:
    try:
        return folder.read_manifest()
    except (OSError, ValueError) as error:
        problem = read_facts(folder).problem or "manifest.json is of another form"
        raise UnreplayableError(folder.run_id, problem) from error


def _refuse_unrecorded(folder: RunFolder, manifest: RunManifest) -> None:
    """Raises UnreplayableError for a run whose journals were pruned, or that never had any."""
    try:
        has_journals = bool(Recording(folder.journal).actors())
    except OSError as error:
        raise UnreplayableError(folder.run_id, f"{error.filename}: {error.strerror}") from error
    pruned = read_pruned(folder)
    if pruned is not None:
        raise UnreplayableError(folder.run_id, f"its journals were pruned at {pruned.at} ({pruned.reason})")
    if not has_journals and not any(has_begun(folder, seat) for seat in manifest.seats):
        raise UnreplayableError(folder.run_id, "it has no journals")


def _names(manifest: RunManifest, actors: Sequence[str]) -> list[str]:
    known = [seat.instance for seat in manifest.seats]
    unknown = [name for name in actors if name not in known]
    if unknown:
        raise UsageError(f"run {manifest.run_id} has no actor {unknown[0]!r}; it has {', '.join(known)}")
    return list(actors) or known


def _warn(report: ReplayReport, folder: RunFolder, manifest: RunManifest) -> None:
    here, there = take_fingerprint(), manifest.fingerprint
    for part in DECISIVE:
        if getattr(here, part) != getattr(there, part):
            report.is_other_machine = True
            report.warnings.append(
                f"recorded with {part} {getattr(there, part)!r}, replayed with {getattr(here, part)!r}"
            )
    if here.oneiros != there.oneiros:
        report.warnings.append(f"recorded by oneiros {there.oneiros}, replayed by {here.oneiros}")
    if folder.is_open:
        report.warnings.append("the run was not closed: it still runs, or was interrupted; replayed as far as it goes")
    if report.ulp_tolerance:
        report.warnings.append(f"a tolerance of {report.ulp_tolerance} ulp was used: equality of bytes is not claimed")


@contextmanager
def _progress(is_shown: bool) -> Iterator[Show]:
    def show(actor: str, step: int) -> None:
        if is_shown:
            sys.stderr.write(f"\r\x1b[Kreplaying {actor}: step {step}")
            sys.stderr.flush()

    try:
        yield show
    finally:
        if is_shown:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()


def _verdict(request: ReplayRequest, child: "Popen[str]", show: Show) -> Tree:
    verdict: Tree | None = None
    for line in child.stdout or ():
        said = json.loads(line)
        if "step" in said and "actor" not in said:
            show(request.actor, said["step"])
        else:
            verdict = said
    if verdict is not None:
        return verdict
    ended = exit_text(child.wait())
    return {"actor": request.actor, "unreplayable": f"the replaying process ended without a verdict ({ended})"}


def draw_replay(report: ReplayReport) -> str:
    """The report as text."""
    lines = [f"run {report.run_id}", *(f"warning: {warning}" for warning in report.warnings)]
    for verdict in report.verdicts:
        lines += _draw_verdict(verdict)
    return "\n".join(lines)


def _draw_verdict(verdict: Tree) -> Iterator[str]:
    actor = f"{verdict['actor']:<17}"
    if "unreplayable" in verdict:
        yield f"{actor} not replayable: {verdict['unreplayable']}"
        return
    extent = f"{verdict['steps']} steps, {verdict['messages']} messages, {verdict['epochs']} process starts"
    if verdict["is_identical"]:
        speed = f", {verdict['recorded_s']:.0f} s in {verdict['took_s']:.1f} s"
        yield f"{actor} identical: {extent}{speed}"
    elif verdict["damage"]:
        damage = verdict["damage"]
        place = f"{damage['actor']}/{damage['segment']} at {damage['offset']}" if damage["segment"] else damage["actor"]
        yield f"{actor} damaged log: {place}: {damage['reason']}"
        if verdict["steps"]:
            yield f"{'':<17} the {verdict['steps']} steps before it are identical"
    elif verdict["divergence"]:
        yield from _draw_divergence(actor, verdict["divergence"])
    else:
        content = verdict["content"]
        yield f"{actor} diverged: every message is the same, but the pool holds other content"
        yield f"{'':<17} recorded sha256 {content['recorded']}"
        yield f"{'':<17} replayed sha256 {content['replayed']}"
    if verdict["content_not_compared"]:
        yield f"{'':<17} pool content not compared: {verdict['content_not_compared']}"
    if verdict["tolerated"]:
        yield f"{'':<17} {verdict['tolerated']} floats were equal within the tolerance only"
    for note in verdict["notes"]:
        yield f"{'':<17} note: {note}"


def _draw_divergence(actor: str, divergence: Tree) -> Iterator[str]:
    found = divergence["difference"]
    ulps = "" if found["ulps"] is None else f" ({found['ulps']} ulps apart)"
    yield f"{actor} diverged at step {divergence['step']} of epoch {divergence['epoch']}, input {divergence['input']}"
    yield f"{'':<17} {found['message'] or 'the step'}, field {found['field']}{ulps}"
    yield f"{'':<17} recorded {found['recorded']}"
    yield f"{'':<17} replayed {found['replayed']}"
    yield f"{'':<17} last step that agreed: {divergence['last_agreed'] or 'none'}"
