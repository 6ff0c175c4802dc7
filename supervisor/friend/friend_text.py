"""What is to be seen of a friend, as text.

In: the results of the `supervisor friend` commands. Out: lines for a terminal, without colour; what a dialogue says is
printable, whatever is in it.
"""

from collections.abc import Mapping
from typing import Final

from supervisor.friend.looking import Card, Declines, DialogDetails, DialogPage, DialogRow, DriftHistory
from supervisor.log_lines import printable
from supervisor.tables import draw_table

SHORT_ID: Final = 8


def draw_page(page: DialogPage) -> list[str]:
    """A row for each dialogue."""
    if not page.dialogs:
        return [f"no dialogue on page {page.page} of {page.pages}" if page.total else "the friend has not spoken yet"]
    heads = ("no", "id", "time", "host", "lines", "trauma", "arousal", "why")
    table = draw_table([heads, *(_row(dialog) for dialog in page.dialogs)], left={1, 2, 3, 7})
    return [*table, f"page {page.page} of {page.pages}, {page.total} dialogues"]


def _row(dialog: DialogRow) -> tuple[str, ...]:
    return (
        str(dialog.number),
        dialog.id[:SHORT_ID],
        dialog.at,
        dialog.host,
        str(dialog.turns),
        f"{dialog.trauma:.2f}",
        f"{dialog.arousal:.2f}",
        dialog.why,
    )


def draw_dialog(details: DialogDetails) -> list[str]:
    """One dialogue, line by line."""
    dialog = details.dialog
    head = [
        f"dialogue  {dialog.id}, number {dialog.number}, with {dialog.host}",
        f"time      {dialog.at} to {details.finished}, run {dialog.run_id}",
        f"why       {dialog.why}",
        f"felt      trauma {dialog.trauma:.3f}, arousal {dialog.arousal:.3f}",
        f"note      {printable(dialog.note)}",
        "",
    ]
    lines = []
    for turn in details.turns:
        adopted = "" if turn.adopted_as is None else f", fragment {turn.adopted_as}"
        lines.append(f"{turn.speaker + ':':<8}{printable(turn.text)}")
        lines.append(
            f"        trauma {turn.trauma:.2f}, novelty {turn.novelty:.2f}, arousal {turn.arousal:.2f}, "
            f"entropy {turn.entropy:.2f}{adopted}"
        )
    return head + lines


def draw_card_text(card: Card) -> list[str]:
    """What a friend is made of."""
    state = f"paused: {card.paused}" if card.paused else "may speak"
    when = f"not before {card.next_permitted}" if card.next_permitted else "at the next moment with an open gate"
    head = [
        f"friend of {card.host}, {state}; {when}",
        f"revision {card.rev}, {card.dialogs} dialogues kept, last one began {card.last_run or 'never'}",
        f"{card.origin_fragments} fragments of the origin, {card.adopted_fragments} adopted",
    ]
    if not card.fragments:
        return [*head, "it begins from the origin of its host with the first dialogue"]
    heads = ("id", "weight", "from", "age", "text")
    rows = [
        (
            str(each.id),
            f"{each.weight:.3f}",
            "origin" if each.is_origin else f"{(each.dialog_id or '')[:SHORT_ID]}/{each.turn}",
            str(each.age),
            printable(each.text),
        )
        for each in card.fragments
    ]
    return [*head, "", *draw_table([heads, *rows], left={2, 4})]


def draw_drift(history: DriftHistory) -> list[str]:
    """The instruments, a row for each dialogue."""
    if not history.points:
        return [f"the friend of {history.host} has not spoken yet"]
    heads = ("no", "id", "time", "rev", "origin share", "lexical distance", "turnover", "effective")
    rows = [
        (
            str(point.number),
            point.dialog_id[:SHORT_ID],
            point.at,
            str(point.rev),
            f"{point.origin_share:.3f}",
            _figure(point.lexical_distance),
            _figure(point.turnover),
            f"{point.effective_fragments:.1f}",
        )
        for point in history.points
    ]
    fall = "-" if history.sharpest_fall is None else f"{history.sharpest_fall:.3f}"
    end = [f"sharpest fall of the origin's share within 11 dialogues: {fall}"]
    return [*draw_table([heads, *rows], left={1, 2}), *end, *([f"alarm: {history.alarm}"] if history.alarm else [])]


def draw_declines(declines: Declines, is_running: bool) -> list[str]:
    """Why it was silent, most often first."""
    if not declines.moments:
        return ["no moment has been offered to the friend yet"]
    ordered = sorted(declines.declined.items(), key=lambda item: (-item[1], item[0]))
    heads = ("times", "reason", "meaning")
    rows = [(str(count), reason, declines.meaning.get(reason, "")) for reason, count in ordered]
    rows.append((str(declines.opened), "spoke", f"{declines.kept} kept, {declines.abandoned} came to nothing"))
    runs = len(declines.runs)
    where = f"{runs} run{'' if runs == 1 else 's'}{', one of them running' if is_running else ''}"
    return [*draw_table([heads, *rows], left={1, 2}), f"{declines.moments} moments in {where}"]


def draw_tried(tried: Mapping[str, object]) -> list[str]:
    """How a self-test went."""
    return [f"{tried['host_id']}: {tried['turns']} lines said and heard, {tried['reason']}; nothing of it was kept"]


def _figure(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
