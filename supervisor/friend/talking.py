"""A talk with the field: what the user says, one line at a time, and what it answers.

In: lines. Out: turns; a line is said when the one before is answered. Of the friend there is nothing in a turn. Lines
without a sign to be said are passed over. Refused: a line that is longer than a message may be.
"""

from collections.abc import Iterable, Iterator
from typing import Final

from schemas.base import Record
from schemas.friend import MAX_TEXT_CHARS, SayLine
from supervisor.errors import UsageError
from supervisor.friend.saying import Addressed
from supervisor.home import Home

SHOWN: Final = 40


class Turn(Record):
    """What was said, and the answer."""

    said: str
    answer: str


def talk(home: Home, lines: Iterable[str]) -> Iterator[Turn]:
    """Say `lines` to the field of the loop that runs on `home`. Raises SupervisorError."""
    friend = Addressed(home)
    for line in lines:
        text = line.encode("utf-8", "replace").decode().strip()
        if not text:
            continue
        if len(text) > MAX_TEXT_CHARS:
            raise UsageError(f"{text[:SHOWN]!r}... has {len(text)} characters, at most {MAX_TEXT_CHARS} can be said")
        asked = friend.name_question()
        friend.order(SayLine(say_id=asked, text=text))
        yield Turn(said=text, answer=friend.answer_to(asked))
