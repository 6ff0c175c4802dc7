"""Arms differ from the loop in one thing each."""

from dataclasses import dataclass, field
from itertools import count

from bus.core import Fired, Input, Outcome, Send
from bus.randomness import RandomSource
from schemas.bias import BiasProfile, SeedWeights
from schemas.feedback import FeedbackBatch, FeedbackRecord
from schemas.ids import derived_id
from supervisor.experiments.stand_ins import ShuffledCredit, Unheard

SAID = Fired("anything")


@dataclass
class Saying:
    """A core that says one message after the other."""

    messages: list[BiasProfile | FeedbackBatch]
    said: list[Input] = field(default_factory=list)

    def handle(self, event: Input, now_ns: int) -> Outcome:
        self.said.append(event)
        return Outcome(sends=[Send(self.messages[len(self.said) - 1])])

    def snapshot(self) -> bytes:
        return b"inside"

    def restore(self, data: bytes) -> None:
        self.said.append(SAID)

    def figures(self) -> dict[str, int]:
        return {"said": len(self.said)}


def a_profile() -> BiasProfile:
    return BiasProfile(
        profile_id=derived_id("profile", 1),
        updated_at_ns=0,
        chroma_prior=(0.5, 0.5, 0.5),
        hue_concentration=0.0,
        entropy_window=(0.0, 1.0),
        seed_weights=SeedWeights(factoid_weight=0.25, image_weight=0.25, pool_seed_weight=0.25, random_weight=0.25),
        bins=(),
        chroma_bins=24,
        exemplars=(),
        feedback_total=0,
    )


def a_batch(number: int, utilities: list[float]) -> FeedbackBatch:
    query = derived_id("query", number)
    records = tuple(
        FeedbackRecord(
            query_id=query, entry_id=derived_id("entry", place), utility=utility, contribution=0.5, notes=None
        )
        for place, utility in enumerate(utilities)
    )
    return FeedbackBatch(batch_id=derived_id("batch", number), records=records)


def said_by(core: ShuffledCredit | Unheard, times: int) -> list[Send]:
    return [send for number in range(times) for send in core.handle(SAID, number).sends]


def test_unheard_profiles_go_to_the_pool_keeper_alone():
    sends = said_by(Unheard(Saying([a_profile()])), 1)

    assert sends == [Send(a_profile(), to="pool-keeper")]


def test_shuffled_feedback_names_the_same_dreams_with_utilities_that_were_really_given():
    numbers = count()
    batches = [a_batch(batch, [float(next(numbers)) for _ in range(8)]) for batch in range(50)]

    core = ShuffledCredit(Saying(list(batches)), RandomSource(1, 1, "learner"))
    shuffled = [send.message for send in said_by(core, 50)]

    given = {record.utility for batch in batches for record in batch.records}
    told = [record.utility for batch in shuffled for record in batch.records]
    assert [[r.entry_id for r in b.records] for b in shuffled] == [[r.entry_id for r in b.records] for b in batches]
    assert set(told) <= given
    matching = sum(mine == own for mine, own in zip(told, range(400), strict=True))
    assert matching < 40


def test_shuffling_is_the_same_again():
    batches = [a_batch(batch, [0.1 * batch, 0.5, -0.2]) for batch in range(5)]

    one, other = (ShuffledCredit(Saying(list(batches)), RandomSource(1, 1, "learner")) for _ in range(2))

    assert said_by(one, 5) == said_by(other, 5)


def test_a_stand_in_has_the_state_and_the_figures_of_the_core_inside():
    core = Unheard(Saying([a_profile()]))

    core.restore(b"")

    assert (core.snapshot(), core.figures()) == (b"inside", {"said": 1})
