"""A run of a few actors alone, brought up to carry out one order, and recorded like any other.

In: where settings come from, the runtime folder of the held home, who sits there, the order, when it is over. Out: the
life of the run, which is closed. Interrupted runs are brought to their end first. Nobody in it needs a box of the run:
no dreamer sits there. A run that could not be begun leaves nothing. Raises OneirosError, OSError.
"""

import hashlib
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from schemas.base import Message
from schemas.ids import RunId
from schemas.inputs import InputSet
from schemas.manifest import RunManifest
from schemas.roles import Role
from supervisor.bring_up import finish_interrupted
from supervisor.configuration import Sources, load_configuration
from supervisor.inputs import PreparedInputs, store_inputs
from supervisor.left_out import LeftOut
from supervisor.manifest import Protection, make_manifest
from supervisor.plan import seats_of
from supervisor.pool.orders import publish, stage, writing_orders
from supervisor.quiet_session import QuietSession
from supervisor.run_files import freeze_settings
from supervisor.run_life import Limits, RunLife
from supervisor.runs import RunFolder, next_ordinal

UNPROTECTED: Final = Protection("none", "curve")


@dataclass(frozen=True)
class Company:
    """Who sits in such a run."""

    roles: tuple[Role, ...]
    receiver: Role
    """Whom the order is for."""
    reason: str
    """What the figures of the run say that it was for."""

    def carry_out(self, sources: Sources, runtime: Path, order: Message, is_over: Callable[[], bool]) -> RunLife:
        """Live a run until `is_over`; the home is held by the caller."""
        home = sources.home
        finish_interrupted(home, runtime)
        manifest = self._manifest(sources)
        run = RunFolder(home, RunId(manifest.run_id))
        try:
            with writing_orders(run):
                staged = stage(run, manifest, [order], lambda _count: None, self.receiver)
                run.write_manifest(manifest)
                freeze_settings(run, sources)
                publish(run, staged.segment)
        except BaseException:
            if not run.manifest_file.exists():
                shutil.rmtree(run.journal, ignore_errors=True)
            raise
        with QuietSession(home, runtime) as session:
            life = RunLife(session, run, manifest, manifest.seats, Limits(is_over=is_over))
            session.conduct(life)
        run.close(life.figures(self.reason))
        return life

    def _manifest(self, sources: Sources) -> RunManifest:
        """The manifest of a run that has neither pictures nor facts."""
        inputs = InputSet(pictures=(), factoids=())
        content = inputs.to_bytes()
        prepared = PreparedInputs(inputs, content, hashlib.sha256(content).hexdigest(), LeftOut(), ())
        store_inputs(prepared, sources.home.inputs)
        configuration, ordinal = load_configuration(sources), next_ordinal(sources.home)
        seats = seats_of(self.roles)
        return make_manifest(configuration, prepared.sha256, seats, ordinal, datetime.now(UTC), UNPROTECTED)
