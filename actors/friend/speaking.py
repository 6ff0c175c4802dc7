"""How each line of a dialogue is asked for: from which seed, how warm, how much by meaning (seed 001, section 7).

In: the offer, the prefix, the lines so far, what was measured last. Out: a seed and the parameters of a line. Leo
speaks at 0.6 to 1.0, the warmer the less certain the field is, with 0.3 to 0.4 by meaning; the friend with 0.5 to 0.6
by meaning, and as wounded when trauma is above its mark.
"""

from collections.abc import Sequence
from typing import Final, Literal, NamedTuple

from actors.friend.fragments import SpokenLine
from schemas.friend import FriendOffer, LineMeasures, Speaker
from schemas.friend_settings import FriendSettings

MOST_REMEMBERED: Final = 3
"""Lines of the dialogue that the next seed holds, the newest first."""
MOST_SEED_CHARS: Final = 2400
MOST_PART_CHARS: Final = 400
"""Of a prompt or a reply in a seed."""


class Manner(NamedTuple):
    """The parameters of one line."""

    temperature: float
    semantic_weight: float
    expert_bias: Literal["wounded"] | None


def manner_of(speaker: Speaker, measures: LineMeasures, settings: FriendSettings) -> Manner:
    """How `speaker` speaks after a line, or a reply, of these `measures`."""
    if speaker == "leo":
        return Manner(0.6 + 0.4 * measures.pulse.entropy, 0.3 + 0.1 * measures.trauma, None)
    if measures.trauma > settings.wounded_above:
        return Manner(0.9, 0.6, "wounded")
    return Manner(0.7 + 0.3 * measures.pulse.entropy, 0.5 + 0.1 * measures.trauma, None)


def first_seed(offer: FriendOffer, prefix: Sequence[str]) -> str:
    """What leo begins from: the moment, what it recalls, and the origin."""
    parts = (offer.prompt, offer.reply, *offer.snapshots)
    return _joined([*(part[:MOST_PART_CHARS] for part in parts), *prefix])


def next_seed(lines: Sequence[SpokenLine], prefix: Sequence[str]) -> str:
    """What the next line begins from: the newest lines, and the origin."""
    return _joined([*(line.text for line in reversed(lines[-MOST_REMEMBERED:])), *prefix])


def _joined(parts: Sequence[str]) -> str:
    return "\n".join(part.strip() for part in parts if part.strip())[:MOST_SEED_CHARS]
