"""What a field has heard: bounded logs of texts, and the counts that follow from them (seed 001; dossier, section 5).

In: texts with who said them. Out: counts, of what was heard awake and of what was dreamt. The counts are a function of
the logs alone: a text counts its weight, halved with every `half_life_texts` waking texts after it, and nothing once
it is older than `MOST_HALVINGS` of these. The origin counts like a waking text, and stops fading at a quarter. A dreamt
line counts `dream_weight`; the oldest go when dreams would be more than `max_self_talk` of the whole. Beyond
`field_tokens` tokens the oldest waking texts go. Dreams take no room from the waking, and no time: what was heard
awake is, to the bit, what a field without a friend has heard. A dialogue can be unheard, and leaves nothing behind.
Refused: an archive that is none, or of other settings.
"""

from collections import deque
from collections.abc import Sequence
from typing import Any, Final, Literal, NamedTuple

import msgpack

from actors.friend.field.counts import Counts, View
from actors.friend.words import clean, tokens_of
from schemas.errors import OneirosError
from schemas.friend_settings import FriendSettings

MOST_HALVINGS: Final = 6
ORIGIN_HALVINGS: Final = 2
ENDINGS: Final = frozenset(".!?…")
ARCHIVE_VERSION: Final = 1

Source = Literal["user", "system", "dream"]


class ArchiveRefusedError(OneirosError):
    """Bytes that claim to be the memory of a field are none."""


class Heard(NamedTuple):
    """One text of the log."""

    age_mark: int
    """How many waking texts came before it."""
    source: Source
    dialog_id: str | None
    sentences: tuple[tuple[str, ...], ...]

    @property
    def tokens(self) -> int:
        """How long it is."""
        return sum(len(sentence) for sentence in self.sentences)


def sentences_of(text: str) -> tuple[tuple[str, ...], ...]:
    """The tokens of `text`, sentence by sentence."""
    line = clean(text)
    found: list[list[str]] = [[]]
    for token in tokens_of(line) if line else ():
        found[-1].append(token)
        if token in ENDINGS:
            found.append([])
    return tuple(tuple(sentence) for sentence in found if sentence)


class Log:
    """Texts, oldest first, with what they count."""

    __slots__ = ("counts", "texts", "tokens")

    def __init__(self) -> None:
        self.texts: deque[Heard] = deque()
        self.tokens = 0
        self.counts = Counts()

    def append(self, entry: Heard, weight: float) -> None:
        """Take in a text that counts `weight`."""
        self.texts.append(entry)
        self.tokens += entry.tokens
        self.counts.add(entry.sentences, weight)

    def remove(self, entry: Heard, weight: float) -> None:
        """Let go of a text that counts `weight` by now."""
        self.texts.remove(entry)
        self.tokens -= entry.tokens
        self.counts.add(entry.sentences, -weight)


class FieldMemory:
    """The log and its counts."""

    def __init__(self, origin: Sequence[str], settings: FriendSettings) -> None:
        self._settings = settings
        self._origin = tuple(sentence for text in origin for sentence in sentences_of(text))
        self._begin_anew()

    def _begin_anew(self) -> None:
        self._first = Counts()
        self._first.add(self._origin, 1.0)
        self._awake, self._asleep = Log(), Log()
        self.texts = 0
        """Waking texts ever heard, the origin aside."""

    @property
    def whole(self) -> View:
        """All that the field knows."""
        return View((self._first, self._awake.counts, self._asleep.counts))

    @property
    def waking(self) -> View:
        """What it would know without its dreams."""
        return View((self._first, self._awake.counts))

    @property
    def self_talk_share(self) -> float:
        """Share of the dreams in the mass of all words."""
        return self._asleep.counts.tokens / self.whole.tokens if self.whole.tokens else 0.0

    @property
    def remembered(self) -> tuple[int, int]:
        """Texts and tokens in the logs."""
        return len(self._awake.texts) + len(self._asleep.texts), self._awake.tokens + self._asleep.tokens

    def hear(self, text: str, source: Source, dialog_id: str | None = None) -> None:
        """Take `text` in."""
        entry = Heard(self.texts, source, dialog_id, sentences_of(text))
        log = self._log_of(entry)
        log.append(entry, self._weight(entry))
        if log is self._awake:
            self.texts += 1
            if self.texts % self._settings.half_life_texts == 0:
                self._fade()
        self._forget_oldest()

    def unhear(self, dialog_id: str) -> int:
        """Forget the lines of a dialogue; the number of them."""
        lines = [entry for entry in self._asleep.texts if entry.dialog_id == dialog_id]
        for entry in lines:
            self._asleep.remove(entry, self._weight(entry))
        return len(lines)

    def archive(self) -> bytes:
        """The log as bytes; the counts follow from it."""
        rows = [tuple(entry) for entry in (*self._awake.texts, *self._asleep.texts)]
        packed: bytes = msgpack.packb((ARCHIVE_VERSION, self._shape(), self.texts, rows))
        return packed

    def take_archive(self, data: bytes) -> None:
        """Become the field that gave `data`; raises ArchiveRefusedError, and then nothing has changed."""
        try:
            version, shape, texts, rows = msgpack.unpackb(data, use_list=False)
            if (version, shape) != (ARCHIVE_VERSION, self._shape()):
                raise ArchiveRefusedError("a field archive of other [friend] settings or another version")
            fresh = FieldMemory((), self._settings)
            fresh._origin = self._origin
            fresh._recall(texts, [Heard(*row) for row in rows])
        except (ValueError, TypeError, AttributeError, msgpack.UnpackException) as error:
            raise ArchiveRefusedError(f"no field archive: {error}") from error
        self.__dict__ = fresh.__dict__

    def _recall(self, texts: int, log: Sequence[Heard]) -> None:
        self._begin_anew()
        for _ in range(min(ORIGIN_HALVINGS, texts // self._settings.half_life_texts)):
            self._first.halve()
        self.texts = texts
        for entry in log:
            self._log_of(entry).append(entry, self._weight(entry))

    def _shape(self) -> tuple[Any, ...]:
        settings = self._settings
        return (settings.half_life_texts, settings.dream_weight, settings.field_tokens)

    def _weight(self, entry: Heard) -> float:
        half_life = self._settings.half_life_texts
        halvings = self.texts // half_life - entry.age_mark // half_life
        return (self._settings.dream_weight if entry.source == "dream" else 1.0) * 0.5**halvings

    def _log_of(self, entry: Heard) -> Log:
        return self._asleep if entry.source == "dream" else self._awake

    def _fade(self) -> None:
        halvings = self.texts // self._settings.half_life_texts
        for counts in (
            self._awake.counts,
            self._asleep.counts,
            *([self._first] if halvings <= ORIGIN_HALVINGS else []),
        ):
            counts.halve()
        for log in (self._awake, self._asleep):
            while log.texts and halvings - log.texts[0].age_mark // self._settings.half_life_texts >= MOST_HALVINGS:
                log.remove(log.texts[0], self._weight(log.texts[0]))

    def _forget_oldest(self) -> None:
        awake, asleep, most = self._awake, self._asleep, self._settings.field_tokens
        while awake.tokens > most:
            awake.remove(awake.texts[0], self._weight(awake.texts[0]))
        while asleep.tokens > most or self.self_talk_share > self._settings.max_self_talk:
            asleep.remove(asleep.texts[0], self._weight(asleep.texts[0]))
