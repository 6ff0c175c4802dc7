"""What every part of the friend works at during one step: its memory, and what leaves it.

In: messages for hosts and for the keeper, timers. Out: an outcome of the bus, and a queue for the embedded field, which
is served within the step. A line of the log names no text. Nothing is refused here.
"""

from typing import Final

from actors.friend.field.host import INSTANCE
from actors.friend.state import MOST_HOSTS, FriendMemory, Friendship
from bus.core import Note, Outcome, Send, SetTimer, WriteFile
from bus.randomness import RandomSource
from schemas.base import Message
from schemas.friend import ANSWERS_PATH, MAX_ANSWERS, Answer, Answers
from schemas.friend_settings import FriendSettings
from schemas.persona import FriendStateRequest, Persona

PATIENCE_S: Final = 5.0
"""How long the friend waits for an answer, of a host or of the keeper."""


class Desk:
    """Memory, settings, randomness, and the tray of what goes out."""

    def __init__(self, memory: FriendMemory, settings: FriendSettings, randomness: RandomSource) -> None:
        self.memory = memory
        self.settings = settings
        self.randomness = randomness
        self.outcome = Outcome()
        self.for_field: list[Message] = []

    def friendship(self, host_id: str) -> Friendship | None:
        """What is known of `host_id`, begun when it is new; None when there is no room for another."""
        friendships = self.memory.friendships
        if host_id not in friendships:
            if len(friendships) >= MOST_HOSTS:
                return None
            friendships[host_id] = Friendship(Persona(host_id))
        return friendships[host_id]

    def tell_host(self, instance: str, message: Message) -> None:
        """Let `message` go to a host."""
        if instance == INSTANCE:
            self.for_field.append(message)
        else:
            self.outcome.sends.append(Send(message, to=instance))

    def tell(self, message: Message) -> None:
        """Let `message` go to the one role that hears it."""
        self.outcome.sends.append(Send(message))

    def wait(self, name: str, host_id: str, patience_s: float = PATIENCE_S) -> None:
        """Be told when `patience_s` have passed without the next call of this."""
        self.outcome.timers.append(SetTimer(f"{name}/{host_id}", patience_s))

    def ask_state(self, friendship: Friendship) -> None:
        """Ask the keeper what it keeps."""
        friendship.requests += 1
        self.tell(FriendStateRequest(host_id=friendship.persona.host_id, request=friendship.requests))

    def answer(self, asked: str, text: str) -> None:
        """Tell the user what became of a question."""
        answers = [*self.memory.answers, Answer(asked=asked, text=text)][-MAX_ANSWERS:]
        self.memory.answers = answers
        content = Answers(answers=tuple(answers)).model_dump_json().encode()
        self.outcome.effects.append(WriteFile(ANSWERS_PATH, content, is_private=True))

    def note(self, text: str) -> None:
        """A line for the log."""
        self.outcome.notes.append(Note("info", text))
