"""The search of `actors.pool_keeper.searching` as machine code: the same answers, bit for bit, several times faster.

In: arrays of the columns and of one order (`actors.pool_keeper.cells`), a scoring, filters, dreams that are taken
already. Out: the best rows with their scores, best first. Importing this compiles it, or takes it from the cache of
numba; nothing is compiled later. It refuses (-1) when so many promising dreams share their tensors that it has no room.

Nodes are opened in the order of their bounds, from a heap. The best unshared dream of each lineage is kept in a sorted
list; dreams whose tensor another dream has too wait in a second one, because which of them count is known only in rank
order. What the two give together is the answer: a lineage with a better dream of a tensor of its own never needs a
worse one.

Scores are those of `actors.pool_keeper.scoring`, operation for operation: no reordering, no fused multiplication, no
other exponential. Bounds are those of `actors.pool_keeper.bounding`.
"""

import math
from typing import Any, Final

import numba
import numpy as np
from numba import boolean, float32, float64, int32, int64, types, uint16, uint64

from actors.pool_keeper.bounding import DEEPEST as DEEPEST_BOUND
from actors.pool_keeper.bounding import LEAST
from actors.pool_keeper.compiled_heap import compiled, pop, push
from actors.pool_keeper.scoring import DAY_NS, DEEPEST, INVERSE_FACTORIALS, LN2_HIGH, LN2_LOW, LOG2_E
from actors.pool_keeper.shapes import FAINT, SLACK, STEPS

COHERENCE: Final = 0
COSINE: Final = 1
COMPOSITE: Final = 2
EUCLIDEAN: Final = 3
NEVER: Final = -(2**63)
NOTHING: Final = -1.0
"""In place of a bound or a score: the filters let nothing pass."""


@compiled
def exponential(exponent: float) -> float:
    """`actors.pool_keeper.scoring.exponential` of one number."""
    clamped = exponent if exponent > DEEPEST else DEEPEST
    halvings = np.rint(clamped * LOG2_E)
    rest = (clamped - halvings * LN2_HIGH) - halvings * LN2_LOW
    series = rest * INVERSE_FACTORIALS[0]
    for place in range(1, len(INVERSE_FACTORIALS) - 1):
        series += INVERSE_FACTORIALS[place]
        series *= rest
    series += INVERSE_FACTORIALS[-1]
    return math.ldexp(series, int(halvings))


@compiled
def _distance(nodes: Any, at: int, red: float, green: float, blue: float) -> float:
    """The least distance from a point to the ball of a node."""
    centre, radius = nodes[0], nodes[1]
    red, green, blue = centre[0, at] - red * STEPS, centre[1, at] - green * STEPS, centre[2, at] - blue * STEPS
    return max(math.sqrt(red * red + green * green + blue * blue) * (1.0 / STEPS) - radius[at], 0.0)


@compiled
def _highest_cosine(nodes: Any, at: int, query: Any) -> float:
    length = query[4]
    if length == 0.0:
        return 0.0
    if length < FAINT:
        return 1.0
    least = _distance(nodes, at, query[1] / length, query[2] / length, query[3] / length)
    return max(1.0 + SLACK - 0.5 * least * least, 0.0)


@compiled
def _highest_weight(ts: int, decay: float, as_of: int) -> float:
    exponent = -(decay * (max(as_of - ts, 0) / DAY_NS)) * (1.0 - SLACK)
    if exponent > -700.0:
        return math.exp(exponent)
    return max(math.exp(max(exponent, DEEPEST_BOUND)), LEAST) if exponent > DEEPEST_BOUND else 0.0


@compiled
def _plain(columns: Any, row: int, coherence: float, query: Any) -> float:
    """What the weight is multiplied with, or (Euclidean) divided by, for the colour of a row with this coherence."""
    reds, greens, blues, _, _, _, _, _, _, _ = columns
    measure, q_red, q_green, q_blue, length, alpha, _, _, _, _ = query
    if measure == COHERENCE:
        return coherence
    red, green, blue = reds[row], greens[row], blues[row]
    if measure == EUCLIDEAN:
        red, green, blue = red - q_red, green - q_green, blue - q_blue
        return 1.0 + math.sqrt(red * red + green * green + blue * blue)
    scale = math.sqrt(red * red + green * green + blue * blue) * length
    dot = red * q_red + green * q_green + blue * q_blue
    cosine = min(dot / scale, 1.0) if scale > 0.0 else 0.0
    return alpha * cosine + (1.0 - alpha) * coherence if measure == COMPOSITE else cosine


@compiled
def _bound(columns: Any, nodes: Any, at: int, query: Any) -> float:
    _, _, coherence, entropy, ts, is_flat, places, span = nodes
    measure, _, _, _, _, alpha, decay, as_of, min_coherence, max_entropy = query
    if coherence[at] < min_coherence or entropy[at] > max_entropy:
        return NOTHING
    if measure == COHERENCE:
        return coherence[at]
    if is_flat[at] and decay == 0.0:
        plain = _plain(columns, places[at * span], coherence[at], query)
        return 1.0 / plain if measure == EUCLIDEAN else plain
    if measure == EUCLIDEAN:
        best = 1.0 / (1.0 + _distance(nodes, at, query[1], query[2], query[3]))
    else:
        best = _highest_cosine(nodes, at, query)
        if measure == COMPOSITE:
            best = alpha * best + (1.0 - alpha) * coherence[at]
    if decay > 0.0:
        best *= _highest_weight(ts[at], decay, as_of)
    return best * (1.0 + SLACK)


@compiled
def _is_before(columns: Any, score: float, row: int, other_score: float, other: int) -> bool:
    """Rank order: higher score, then newer, then lower id."""
    if score != other_score:
        return score > other_score
    ts, ids = columns[5], columns[6]
    if ts[row] != ts[other]:
        return ts[row] > ts[other]
    if ids[row, 0] != ids[other, 0]:
        return ids[row, 0] < ids[other, 0]
    return ids[row, 1] < ids[other, 1]


@compiled
def _insert(columns: Any, rows: Any, scores: Any, count: int, score: float, row: int) -> int:
    """Put a row where it ranks, into a list that keeps its length when it is full. Returns the count."""
    at = count if count < len(rows) else count - 1
    while at > 0 and _is_before(columns, score, row, scores[at - 1], rows[at - 1]):
        rows[at], scores[at] = rows[at - 1], scores[at - 1]
        at -= 1
    rows[at], scores[at] = row, score
    return min(count + 1, len(rows))


@compiled
def _drop(rows: Any, scores: Any, count: int, at: int) -> int:
    for place in range(at, count - 1):
        rows[place], scores[place] = rows[place + 1], scores[place + 1]
    return count - 1


@compiled
def _is_shared(tensors: Any, copied: Any, row: int) -> bool:
    """Whether another dream has the same tensor."""
    if tensors[row] != row:
        return True
    low, high = 0, len(copied)
    while low < high:
        middle = (low + high) >> 1
        if copied[middle] < row:
            low = middle + 1
        else:
            high = middle
    return low < len(copied) and copied[low] == row


@compiled
def _offer(columns: Any, lists: Any, rule: Any, score: float, row: int) -> bool:
    """Take a row into the lists if it can still matter; False when there is no room."""
    kept_rows, kept_scores, _, _, counts = lists
    allows, taken, copied = rule
    roots, tensors = columns[7], columns[8]
    kept = counts[0]
    is_full = kept == len(kept_rows)
    if is_full and not _is_before(columns, score, row, kept_scores[kept - 1], kept_rows[kept - 1]):
        return True
    for other in taken:
        if other == row or (not allows and (roots[other] == roots[row] or tensors[other] == tensors[row])):
            return True
    if not allows and _is_shared(tensors, copied, row):
        return _offer_shared(columns, lists, score, row)
    if not allows:
        for place in range(kept):
            if roots[kept_rows[place]] == roots[row]:
                if not _is_before(columns, score, row, kept_scores[place], kept_rows[place]):
                    return True
                kept = _drop(kept_rows, kept_scores, kept, place)
                break
    counts[0] = _insert(columns, kept_rows, kept_scores, kept, score, row)
    return True


@compiled
def _offer_shared(columns: Any, lists: Any, score: float, row: int) -> bool:
    """The same for a row with a shared tensor."""
    kept_rows, kept_scores, shared_rows, shared_scores, counts = lists
    roots, tensors = columns[7], columns[8]
    shared, kept = counts[1], counts[0]
    for place in range(shared):
        other = shared_rows[place]
        if roots[other] == roots[row] and tensors[other] == tensors[row]:
            if not _is_before(columns, score, row, shared_scores[place], other):
                return True
            shared = _drop(shared_rows, shared_scores, shared, place)
            break
    last = kept - 1
    while kept == len(kept_rows) and shared > 0:
        if _is_before(columns, shared_scores[shared - 1], shared_rows[shared - 1], kept_scores[last], kept_rows[last]):
            break
        shared -= 1
    counts[1] = shared
    if shared == len(shared_rows):
        return False
    counts[1] = _insert(columns, shared_rows, shared_scores, shared, score, row)
    return True


@compiled
def _merge(columns: Any, lists: Any, rows: Any, scores: Any) -> int:
    """Take from both lists in rank order into `rows` and `scores`, until these are full. Returns how many."""
    kept_rows, kept_scores, shared_rows, shared_scores, counts = lists
    roots, tensors = columns[7], columns[8]
    taken = at = shared_at = 0
    while taken < len(rows) and (at < counts[0] or shared_at < counts[1]):
        is_shared = at == counts[0]
        if at < counts[0] and shared_at < counts[1]:
            score, row = shared_scores[shared_at], shared_rows[shared_at]
            is_shared = _is_before(columns, score, row, kept_scores[at], kept_rows[at])
        if is_shared:
            score, row = shared_scores[shared_at], shared_rows[shared_at]
            shared_at += 1
        else:
            score, row = kept_scores[at], kept_rows[at]
            at += 1
        is_open = True
        if counts[1]:
            for place in range(taken):
                other = rows[place]
                if roots[other] == roots[row] or tensors[other] == tensors[row]:
                    is_open = False
                    break
        if is_open:
            rows[taken], scores[taken] = row, score
            taken += 1
    return taken


@compiled
def _bar(columns: Any, lists: Any, rows: Any, scores: Any) -> tuple[float, int]:
    """Score and time that something unseen must reach to matter."""
    kept_rows, kept_scores, _, _, counts = lists
    wanted = len(kept_rows)
    if counts[1]:
        if _merge(columns, lists, rows, scores) == wanted:
            return scores[wanted - 1], columns[5][rows[wanted - 1]]
    elif counts[0] == wanted:
        return kept_scores[wanted - 1], columns[5][kept_rows[wanted - 1]]
    return 0.0, NEVER


@compiled
def _look(columns: Any, rows: Any, query: Any, newest: int, lists: Any, rule: Any, lowest: float, plain: Any) -> bool:
    """Score rows, all of which are at most `newest`, and offer those that reach `lowest`; False: there is no room."""
    measure, decay, as_of = query[0], query[6], query[7]
    weight = _highest_weight(newest, decay, as_of) if decay > 0.0 else 1.0
    highest = weight * (1.0 + SLACK)
    for place in range(len(rows)):
        row = rows[place]
        coherence = columns[3][row]
        is_out = not columns[9][row] or coherence < query[8] or columns[4][row] > query[9]
        plain[place] = NOTHING if is_out else _plain(columns, row, coherence, query)
    for place in range(len(rows)):
        if plain[place] == NOTHING:
            continue
        score = 1.0 / plain[place] if measure == EUCLIDEAN else plain[place]
        if score * highest < lowest:
            continue
        row = rows[place]
        if decay > 0.0:
            weight = exponential(-(decay * (max(as_of - columns[5][row], 0) / DAY_NS)))
            score = weight / plain[place] if measure == EUCLIDEAN else weight * plain[place]
        if not _offer(columns, lists, rule, score, row):
            return False
        if lists[4][1] == 0 and lists[4][0] == len(lists[0]):
            lowest = lists[1][lists[4][0] - 1]
    return True


@compiled
def _look_at_tail(columns: Any, covered: int, query: Any, lists: Any, rule: Any, plain: Any, rows: Any) -> bool:
    """Look at the rows that no block holds, the newest first."""
    end = len(columns[5])
    while end > covered:
        start = max(covered, end - len(plain))
        newest = NEVER
        for row in range(start, end):
            rows[row - start] = row
            newest = max(newest, columns[5][row])
        if not _look(columns, rows[: end - start], query, newest, lists, rule, 0.0, plain):
            return False
        end = start
    return True


@compiled
def _sight(
    columns: Any, nodes: Any, first: int, end: int, level: int, query: Any, bar: Any, heap: Any, count: int
) -> int:
    """Push those nodes that reach the bar. Returns how many are in the heap, or -1 when it is full."""
    score, ts = bar
    bounds, codes = heap
    for at in range(first, end):
        bound = _bound(columns, nodes, at, query)
        if bound > score or (bound == score and nodes[4][at] >= ts):
            if count == len(bounds):
                return -1
            count = push(bounds, codes, count, bound, 4 * at + level)
    return count


@compiled
def _descend(
    columns: Any, places: Any, levels: Any, query: Any, lists: Any, rule: Any, plain: Any, out: Any, heap: Any
) -> bool:  # fmt: skip
    """Open nodes, the most promising first, until none can matter; False: there is no room."""
    areas, regions, groups, blocks = levels
    rows, scores = out
    block = len(plain)
    width = groups[7] // block
    score, ts = _bar(columns, lists, rows, scores)
    bounds, codes = heap
    count = 0
    for level, nodes, first in (
        (0, areas, 0),
        (1, regions, len(areas[4]) * width),
        (2, groups, len(regions[4]) * width),
    ):
        count = _sight(columns, nodes, first, len(nodes[4]), level, query, (score, ts), heap, count)
        if count < 0:
            return False
    while count > 0 and bounds[0] >= score:
        level, at = codes[0] & 3, codes[0] >> 2
        count = pop(bounds, codes, count)
        if level == 3:
            lists[4][2] += block
            here = places[at * block : (at + 1) * block]
            if not _look(columns, here, query, blocks[4][at], lists, rule, score, plain):
                return False
            score, ts = _bar(columns, lists, rows, scores)
            continue
        nodes = regions if level == 0 else groups if level == 1 else blocks
        count = _sight(columns, nodes, at * width, (at + 1) * width, level + 1, query, (score, ts), heap, count)
        if count < 0:
            return False
    return True


def _read(kind: Any, dimensions: int = 1) -> Any:
    return types.Array(kind, dimensions, "C", readonly=True)


_COLUMNS = (*(_read(float64),) * 5, _read(int64), _read(uint64, 2), _read(int32), _read(int32), _read(boolean))
_NODES = types.Tuple((_read(uint16, 2), _read(float32), _read(float64), _read(float32), _read(int64), _read(boolean)))
_CELLS = (_read(int32), int64, int64, *(_NODES,) * 4)
_QUERY = (int64, *(float64,) * 6, int64, float64, float64)
_LISTS = (int64[::1], float64[::1]) * 2
_SIGNATURE = types.UniTuple(int64, 2)(
    *map(types.Tuple, (_COLUMNS, _CELLS, (boolean, _read(int64), _read(int32)), _QUERY)),
    types.Tuple((*_LISTS, int64[::1], int32[::1], float64[::1], float64[::1], int64[::1])),
    *_LISTS[:2],
)


@numba.njit(_SIGNATURE, cache=True, error_model="numpy", _nrt=False)  # type: ignore[untyped-decorator]
def search(columns: Any, cells: Any, rule: Any, query: Any, scratch: Any, rows: Any, scores: Any) -> tuple[int, int]:
    """Fill `rows` and `scores`, best first. Returns how many were found, or -1, and how many rows were looked at.

    The tuples are those of `actors.pool_keeper.probing`, in its order.
    """
    places, covered, block, blocks, groups, regions, areas = cells
    kept_rows, kept_scores, shared_rows, shared_scores, counts, block_rows, block_scores, bounds, codes = scratch
    width = len(blocks[4]) // max(1, len(groups[4]))
    levels = (
        (*areas, places, block * width * width * width),
        (*regions, places, block * width * width),
        (*groups, places, block * width),
        (*blocks, places, block),
    )
    lists = (kept_rows[: len(rows)], kept_scores[: len(rows)], shared_rows, shared_scores, counts)
    plain = block_scores[:block]
    counts[0], counts[1], counts[2] = 0, 0, len(columns[5]) - covered
    if not _look_at_tail(columns, covered, query, lists, rule, block_scores, block_rows):
        return -1, counts[2]
    if not _descend(columns, places, levels, query, lists, rule, plain, (rows, scores), (bounds, codes)):
        return -1, counts[2]
    return _merge(columns, lists, rows, scores), counts[2]
