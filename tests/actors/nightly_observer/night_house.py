"""A home in which nights are lived without a process: what is looked at is made up, all that follows is real."""

from dataclasses import dataclass, field
from pathlib import Path

from actors.nightly_observer.day import InputFile, InputManifest
from actors.nightly_observer.gathering import Gathered
from actors.nightly_observer.keeping import Nights
from actors.nightly_observer.living import live
from actors.nightly_observer.ordering import NightOrder
from actors.nightly_observer.sealing import new_identity, seal_of
from actors.nightly_observer.stage import Found
from actors.nightly_observer.world import key_of, make_folders
from schemas.dream_seeds import DreamSeed
from schemas.night_places import NIGHTS
from schemas.night_report import NightReport
from schemas.night_settings import RuntimeSettings
from tests.actors.nightly_observer.dream_seeds import one_of_each
from tests.night_examples import DATE, changed

MANIFEST = InputManifest((InputFile("logs/interface/persist.jsonl", 10, "ab" * 32, 10),))


def gathered(
    seeds: tuple[DreamSeed, ...] = (),
    *,
    is_readable: bool = True,
    is_all_zero: bool = False,
    manifest: InputManifest = MANIFEST,
) -> Gathered:
    """What a night has seen."""
    found = Found(seeds, is_readable, is_all_zero, is_guard_stable=True)
    block = {"status": "observed", "dreams": 3}
    return Gathered(found, block, block, manifest if is_readable else None, ())


@dataclass
class NightHouse:
    """One home and the nights that are lived in it."""

    home: Path
    settings: RuntimeSettings = field(default_factory=lambda: changed(storage__encrypt=False))
    sandbox: str = "none"

    @property
    def nights(self) -> Nights:
        """What they left."""
        return Nights(self.home / NIGHTS)

    def sealed(self) -> str:
        """Seal from now on; who may open."""
        secret, recipient = new_identity()
        self.settings = changed(storage__recipients=[recipient])
        return secret

    def live(self, date: str = DATE, seen: Gathered | None = None, *, seeds_only: bool = False) -> NightReport:
        """One night; by default with a seed of each type."""
        result = live(*self._asked(date, seeds_only=seeds_only), look=lambda _order, _key: seen or a_full_night())
        return NightReport.model_validate_json(_json(result["report"]))

    def replay(self, seen: Gathered, date: str = DATE) -> dict[str, object]:
        """One night again, which leaves nothing."""
        result = live(*self._asked(date, mode="replay"), look=lambda _order, _key: seen)
        return dict(result["replay"])

    def files(self, date: str = DATE) -> dict[str, bytes]:
        """What is in the folder of a night."""
        return {path.name: path.read_bytes() for path in sorted((self.home / NIGHTS / date).iterdir())}

    def _asked(self, date: str, *, seeds_only: bool = False, mode: str = "run"):
        make_folders(self.home, date)
        order = NightOrder(
            night_id=f"{date}.1",
            date=date,
            source="own",
            root="",
            is_seeds_only=seeds_only,
            is_parity=False,
            settings_json=self.settings.model_dump_json(),
            home=str(self.home),
            rung="none",
            mode=mode,
        )
        return order, key_of(self.home), seal_of(self.settings.dream.storage), self.sandbox


def a_full_night() -> Gathered:
    """A seed of each type."""
    return gathered(one_of_each())


def _json(tree: object) -> str:
    import json

    return json.dumps(tree)
