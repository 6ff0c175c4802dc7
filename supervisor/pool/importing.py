"""Dreams of another pool taken into this one, each tensor once.

In: a source of dreams, the pool of this home. Out: the orders that bring in what is new, and an account of the rest. A
tensor that the pool holds is not brought in again: its dream there takes the place of the other in the lineage of what
is. A dream whose id the pool gives to another tensor gets a new id, made from both; parents, roots and generations
follow. Left out and named: a dream whose tensor is not what its hash says.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from actors.pool_keeper.errors import PoolError
from actors.pool_keeper.reading import PoolMissingError, PoolReader
from schemas.base import Record
from schemas.dreams import DreamFacts
from schemas.errors import TensorRefusedError
from schemas.ids import derived_id
from schemas.pool import AdoptDream
from supervisor.home import Home
from supervisor.pool.sources import DreamSource
from supervisor.pool.verifying import DamagedDream


class PoolImported(Record):
    """What `supervisor pool import` did."""

    source: str
    run_id: str | None
    """The run in which it was done; None when there was nothing new."""
    found: int
    """Dreams of the source."""
    imported: int
    duplicates: int
    """Dreams whose tensor the pool held already."""
    renamed: int
    """Dreams that have another id here than there."""
    refused: int
    """Dreams that the pool-keeper refused; its log says why."""
    damaged: tuple[DamagedDream, ...]
    """Dreams of the source that were left out."""


@dataclass
class Known:
    """What the pool holds that an import must know."""

    ids_by_hash: dict[bytes, str] = field(default_factory=dict)
    ids: set[str] = field(default_factory=set)
    descent: Callable[[str], tuple[str, int] | None] = lambda _dream_id: None
    """Root and generation of a dream of the pool."""


@dataclass
class Import:
    """One import while it goes on."""

    source: DreamSource
    damaged: list[DamagedDream] = field(default_factory=list)
    adopted: list[str] = field(default_factory=list)
    """Ids that the new dreams have here."""
    duplicates: int = 0
    renamed: int = 0
    _names: dict[str, str] = field(default_factory=dict)
    """Id there to id here."""
    _descent: dict[str, tuple[str, int]] = field(default_factory=dict)
    """Root and generation of what was brought in."""

    def orders(self, home: Home) -> Iterator[AdoptDream]:
        """The orders for the pool-keeper of `home`, parents before their children."""
        try:
            with PoolReader(home.root) as reader:
                yield from self._orders(Known(reader.ids_by_hash(), reader.ids(), reader.descent))
        except PoolMissingError:
            yield from self._orders(Known())

    def _orders(self, known: Known) -> Iterator[AdoptDream]:
        for number, facts in enumerate(sorted(self.source.dreams, key=lambda dream: dream.generation), start=1):
            held = known.ids_by_hash.get(facts.tensor_sha256)
            if held is not None:
                self.duplicates += 1
                self._names[facts.id] = held
                continue
            try:
                blob = self.source.blob(facts)
            except TensorRefusedError as error:
                self.damaged.append(DamagedDream(sequence=number, id=facts.id, reason=str(error)))
                continue
            dream = self._renamed(facts, known)
            known.ids_by_hash[dream.tensor_sha256] = dream.id
            known.ids.add(dream.id)
            self.adopted.append(dream.id)
            yield AdoptDream(**dream.__dict__, tensor_blob=blob)

    def _renamed(self, facts: DreamFacts, known: Known) -> DreamFacts:
        """`facts` as the dream is known here."""
        own = facts.id if facts.id not in known.ids else derived_id("import", facts.id, facts.tensor_sha256.hex())
        self.renamed += own != facts.id
        self._names[facts.id] = own
        parents = tuple(dict.fromkeys(self._names.get(parent, parent) for parent in facts.parents if parent != own))
        descents = [self._descent.get(parent) or known.descent(parent) for parent in parents]
        root, generation = own, 0
        if parents:
            least = 1 + max((found[1] for found in descents if found is not None), default=0)
            generation = least if None not in descents else max(least, facts.generation)
            root = descents[0][0] if descents[0] is not None else facts.lineage_root
        self._descent[own] = (root, generation)
        changes = {"id": own, "parents": parents, "lineage_root": root, "generation": generation}
        return facts.model_copy(update=changes)


def count_stored(home: Home, ids: list[str]) -> int:
    """How many of `ids` the pool holds."""
    try:
        with PoolReader(home.root) as reader:
            held = reader.ids()
    except PoolError:
        return 0
    return sum(dream_id in held for dream_id in ids)
