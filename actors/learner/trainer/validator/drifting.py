"""Bias within one measurement and drift between two, class by class: equal accuracy can hide that one class pays.

In: confusion matrices. Out: `ClassBias` and `Drift`. Between measurements of the same examples every shift beyond the
limit is flagged; between other examples only one that chance seldom brings too (two proportions, pooled). It refuses
matrices of other sizes.
"""

import math
from collections.abc import Sequence
from typing import Final

from actors.learner.trainer.validator.findings import ClassBias, ClassShift, Drift
from actors.learner.trainer.validator.scores import ScoresRefusedError

LIMIT: Final = 0.02
"""Largest change of a class that passes unflagged: two points."""
Z_LIMIT: Final = 3.0
"""Standard deviations that chance exceeds once in 370 times."""

ROUNDING: Final = 1e-12
"""A shift of just two points is within the limit, whatever the last bit of a difference of shares says."""

Confusion = Sequence[Sequence[int]]


def bias_of(names: Sequence[str], confusion: Confusion) -> tuple[ClassBias, ...]:
    """Each class against all examples together."""
    total = sum(map(sum, confusion))
    hits = sum(row[number] for number, row in enumerate(confusion))
    found = []
    for number, name in enumerate(names):
        examples, predicted = sum(confusion[number]), sum(row[number] for row in confusion)
        hit = confusion[number][number]
        rest, rest_hits = total - examples, hits - hit
        gap = hit / examples - hits / total if examples else None
        z = _z(hit, examples, rest_hits, rest)
        is_flagged = _is_far(gap) and z is not None and abs(z) > Z_LIMIT
        share, taken = (examples / total, predicted / total) if total else (None, None)
        excess = (predicted - examples) / total if total else None
        found.append(
            ClassBias(
                name=name,
                share=share,
                predicted_share=taken,
                excess=excess,
                recall_gap=gap,
                z=z,
                is_flagged=is_flagged,
            )
        )
    return tuple(found)


def drift_between(of: str, names: Sequence[str], before: Confusion, after: Confusion, same_examples: bool) -> Drift:
    """How each class fares in `after` against `before`; raises ScoresRefusedError for matrices of other classes."""
    if not len(before) == len(after) == len(names):
        raise ScoresRefusedError(f"{of}: matrices of {len(before)} and {len(after)} classes for {len(names)} names")
    shifts = tuple(_shift(name, number, before, after, same_examples) for number, name in enumerate(names))
    accuracies = [_accuracy(confusion) for confusion in (before, after)]
    first, second = accuracies
    return Drift(
        of=of,
        accuracy_shift=None if first is None or second is None else second - first,
        same_examples=same_examples,
        limit=LIMIT,
        z_limit=None if same_examples else Z_LIMIT,
        classes=shifts,
        flagged=tuple(shift.name for shift in shifts if shift.is_flagged),
    )


def _shift(name: str, number: int, before: Confusion, after: Confusion, same_examples: bool) -> ClassShift:
    recalls = [_recall(confusion, number) for confusion in (before, after)]
    shares = [_predicted_share(confusion, number) for confusion in (before, after)]
    recall = _difference(recalls[0], recalls[1])
    share = _difference(shares[0], shares[1])
    counts = [(confusion[number][number], sum(confusion[number])) for confusion in (after, before)]
    z = None if same_examples else _z(*counts[0], *counts[1])
    is_taken_otherwise = same_examples and _is_far(share)
    is_sure = same_examples or (z is not None and abs(z) > Z_LIMIT)
    return ClassShift(
        name=name,
        recall_before=recalls[0],
        recall_after=recalls[1],
        recall_shift=recall,
        predicted_share_shift=share,
        z=z,
        is_flagged=(_is_far(recall) and is_sure) or is_taken_otherwise,
    )


def _is_far(shift: float | None) -> bool:
    return shift is not None and abs(shift) > LIMIT + ROUNDING


def _z(hits: int, count: int, other_hits: int, other_count: int) -> float | None:
    """How many standard deviations two shares are apart; None where chance has no say."""
    if not count or not other_count:
        return None
    pooled = (hits + other_hits) / (count + other_count)
    deviation = math.sqrt(pooled * (1.0 - pooled) * (1.0 / count + 1.0 / other_count))
    return (hits / count - other_hits / other_count) / deviation if deviation else None


def _accuracy(confusion: Confusion) -> float | None:
    total = sum(map(sum, confusion))
    return sum(row[number] for number, row in enumerate(confusion)) / total if total else None


def _recall(confusion: Confusion, number: int) -> float | None:
    examples = sum(confusion[number])
    return confusion[number][number] / examples if examples else None


def _predicted_share(confusion: Confusion, number: int) -> float | None:
    total = sum(map(sum, confusion))
    return sum(row[number] for row in confusion) / total if total else None


def _difference(before: float | None, after: float | None) -> float | None:
    return None if before is None or after is None else after - before
