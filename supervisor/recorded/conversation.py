"""The conversation of a run: the steps of all its actors in one order, from their journals alone.

In: the journal folder of a run. Out: steps merged by the time at which they were journalled, a step never before the
message that it handles, whatever a clock does; damaged stretches in between. Everything whole on disk is read, then
reading goes on where it stopped, so that a run is followed while it is written. Payloads are not read (see
`bus.skimming`); `payloads_of` reads and checks those of one message. It opens no socket, and writes nothing.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

from bus.codec import BytesLike
from bus.core import Cursor, MessageRef
from bus.payloads import PayloadStore
from bus.segment import list_segments
from bus.skimming import JournalSkim, SkimmedMessage, SkimmedStep, begun_ns
from bus.stream import Damage


class Conversation:
    """What the actors of one run said and handled."""

    def __init__(self, folder: Path, since_ns: int = 0, *, is_from_now: bool = False) -> None:
        """Read `folder` from `since_ns` on, or from now on."""
        self.folder = folder
        self.damages: list[Damage] = []
        self.last_ns = 0
        """The latest time of a step that was read; 0 before the first."""
        self._since_ns = since_ns
        self._payloads = PayloadStore(folder)
        self._voices: dict[str, _Voice] = {}
        self._looks = 0
        self._held: dict[MessageRef, int] = {}
        """Messages that were taken and could not be read, and in which look; they are waited for once."""
        self._begin(is_from_now)

    @property
    def read_bytes(self) -> int:
        """Bytes of the journals that were passed so far."""
        return sum(voice.skim.read_bytes for voice in self._voices.values())

    def size_bytes(self) -> int:
        """Bytes of all journals of the run now."""
        return sum(path.stat().st_size for actor in self._actors() for _, path in list_segments(self.folder / actor))

    def began_ns(self) -> int | None:
        """When the first journal of the run was begun; None before."""
        firsts = (list_segments(self.folder / actor)[:1] for actor in self._actors())
        begun = (begun_ns(path) for found in firsts for _, path in found)
        return min((wall_ns for wall_ns in begun if wall_ns), default=None)

    def steps(self, *, is_final: bool = True) -> Iterator[SkimmedStep]:
        """All steps that are whole on disk and were not given yet; `damages` grows by what cannot be read.

        Unless `is_final`, a step whose message cannot be read yet is kept for the next call.
        """
        self._looks += 1
        for actor in self._actors():
            self._voices.setdefault(actor, _Voice(JournalSkim(self.folder, actor), Cursor(0, 0)))
        for voice in self._voices.values():
            voice.look(self.damages)
        while (following := self._next(is_final)) is not None:
            step = following.take(self.damages)
            self.last_ns = max(self.last_ns, step.wall_ns)
            if step.wall_ns >= self._since_ns:
                yield step

    def payloads_of(self, message: SkimmedMessage) -> tuple[BytesLike, ...]:
        """The payloads of `message`, checked; raises MissingInputError when its frame or a payload is damaged."""
        return self._payloads.at(message.ref.sender, message.place, message.ref.seq)

    def close(self) -> None:
        """Let go of the journals."""
        self._payloads.close()
        for voice in self._voices.values():
            voice.skim.close()

    def _actors(self) -> list[str]:
        if not self.folder.is_dir():
            return []
        return sorted(path.name for path in self.folder.iterdir() if path.is_dir())

    def _begin(self, is_from_now: bool) -> None:
        if not is_from_now and not self._since_ns:
            return
        for actor in self._actors():
            skim = JournalSkim(self.folder, actor)
            if is_from_now:
                skim.start_at_end()
            else:
                skim.start_at(self._since_ns)
            self._voices[actor] = _Voice(skim, None)

    def _next(self, is_final: bool) -> "_Voice | None":
        """Whose step comes next; None when there is none, or when a message that was taken is still to be read."""
        is_news_awaited = False
        waiting: list[_Voice] = []
        for voice in sorted((voice for voice in self._voices.values() if voice.head is not None), key=_Voice.time):
            cause = voice.cause()
            sender = self._voices.get(cause.sender) if cause is not None else None
            if cause is None or sender is None or sender.has_said(cause):
                return voice
            if sender.head is not None:
                waiting.append(voice)
            elif is_final or self._held.setdefault(cause, self._looks) < self._looks:
                return voice
            else:
                is_news_awaited = True
        return waiting[0] if waiting and not is_news_awaited else None


class _Voice:
    """One actor: what it has said, and its next step."""

    def __init__(self, skim: JournalSkim, said: Cursor | None) -> None:
        self.skim = skim
        self.head: SkimmedStep | None = None
        self._said = said
        """The last message that was given; None when reading began later than the actor."""
        self._news: Iterator[SkimmedStep | Damage] = iter(())

    def time(self) -> tuple[int, str]:
        """When the next step was journalled; the actor's name decides between equals."""
        return (self.head.wall_ns if self.head is not None else 0, self.skim.actor)

    def cause(self) -> MessageRef | None:
        """The message that the next step handles."""
        event = self.head.event if self.head is not None else None
        return event if isinstance(event, MessageRef) else None

    def has_said(self, ref: MessageRef) -> bool:
        """Whether `ref` was given already, or can never be: reading began after it."""
        return self._said is None or ref[1:] <= self._said

    def look(self, damages: list[Damage]) -> None:
        """Look for news."""
        if self.head is None:
            self._news = self.skim.news()
            self._advance(damages)

    def take(self, damages: list[Damage]) -> SkimmedStep:
        """The next step; the one after it becomes the head."""
        step = self.head
        if step is None:
            raise LookupError(f"{self.skim.actor} has no step to give")
        if step.messages:
            self._said = Cursor(step.epoch, step.messages[-1].ref.seq)
        self._advance(damages)
        return step

    def _advance(self, damages: list[Damage]) -> None:
        self.head = None
        for item in self._news:
            if isinstance(item, SkimmedStep):
                self.head = item
                return
            damages.append(item)


def follow(conversation: Conversation, is_over: Callable[[], bool], pause: Callable[[], None]) -> Iterator[SkimmedStep]:
    """Every step as it is written, until `is_over`; `pause` is called between two looks."""
    while True:
        is_last = is_over()
        yield from conversation.steps(is_final=is_last)
        if is_last:
            return
        pause()
