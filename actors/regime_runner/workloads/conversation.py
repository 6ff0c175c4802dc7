"""Prompts and replies as a client sees them: the round trip to a partner that answers from another process.

In: clients, a rate, lengths of replies, what the partner may remember and look up. Out: replies a second, and the
time of each; the mean length of replies; for rows with retrieval, the share of prompts whose own passage was found. A
prompt is the first line of a passage. An empty reply, or none, is an error of the partner.

A partner is anything that has `ask`: here one connection to a text field for each client. An inbox of another process
that answers prompts (the friend's) fits there, with nothing else to change.
"""

import json
import os
import selectors
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple, Protocol

import numpy as np

from actors.regime_runner.workloads.command_line import Options, read
from actors.regime_runner.workloads.library import Passage, passages
from actors.regime_runner.workloads.pacing import Pace, run
from actors.regime_runner.workloads.retrieval import Retriever, check_tokenizers
from actors.regime_runner.workloads.sampling import tell
from actors.regime_runner.workloads.textfield import TextField

LARGEST: Final = 1 << 16
"""Most bytes of a prompt or a reply on a connection."""


class Answer(NamedTuple):
    """What a partner said."""

    text: str
    has_found: bool
    """The passage that the prompt begins was among those retrieved."""


class Partner(Protocol):
    """Whoever answers prompts."""

    def ask(self, prompt: int, words: int) -> Answer:
        """The reply to the prompt of that number, of about so many words."""
        ...


class FieldPartner:
    """A text field at the other end of a connection."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection

    def ask(self, prompt: int, words: int) -> Answer:
        """See Partner."""
        self._connection.send(json.dumps([prompt, words]).encode())
        told = self._connection.recv(LARGEST)
        text, has_found = json.loads(told) if told else ("", False)
        return Answer(text, has_found)


class Field:
    """What answers in the other process."""

    def __init__(self, library: Sequence[Passage], options: Options, seed: int) -> None:
        self._library = library
        self._options = options
        texts = [passage.text for passage in library]
        self._field = TextField(texts, options.whole("history"), seed)
        self._retriever = Retriever(texts) if options.is_on("retrieval") else None

    def answer(self, prompt: int, words: int) -> Answer:
        """A reply, after retrieval where that is on."""
        options, title = self._options, self._library[prompt].title
        found: list[int] = []
        if self._retriever is not None:
            found = self._retriever.find(title, options.whole("top-k"), options.whole("rrf-k"))
        texts = [self._library[number].text for number in found]
        text = self._field.reply(title, min(words, options.whole("reply-cap")), texts)
        return Answer(text, prompt in found)


def serve(field_: Field, connections: Sequence[socket.socket]) -> None:
    """Answer on every connection until all are closed."""
    with selectors.DefaultSelector() as selector:
        for offered in connections:
            selector.register(offered, selectors.EVENT_READ, offered)
        while selector.get_map():
            for key, _ in selector.select():
                connection: socket.socket = key.data
                told = connection.recv(LARGEST)
                if told:
                    connection.send(json.dumps(field_.answer(*json.loads(told))).encode())
                else:
                    selector.unregister(connection)


def start_fields(library: Sequence[Passage], options: Options) -> list[Partner]:
    """One partner for each client; fields are processes, which clients share where there are fewer.

    Call it before any thread is started.
    """
    clients, workers = options.whole("clients"), options.whole("workers")
    pairs = [socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET) for _ in range(clients)]
    for worker in range(workers):
        if os.fork() == 0:
            for ours, _ in pairs:
                ours.close()
            mine = [theirs for client, (_, theirs) in enumerate(pairs) if client % workers == worker]
            try:
                serve(Field(library, options, worker), mine)
            finally:
                os._exit(0)
    for _, theirs in pairs:
        theirs.close()
    return [FieldPartner(ours) for ours, _ in pairs]


@dataclass
class Client:
    """One thread that asks."""

    partner: Partner
    prompts: list[int]
    lengths: list[int]
    count: int = 0
    words: int = 0
    found: int = 0
    failures: int = 0

    def turn(self) -> int:
        """One prompt and its reply; returns 1 where there is none."""
        place = self.count % len(self.prompts)
        self.count += 1
        try:
            answer = self.partner.ask(self.prompts[place], self.lengths[place])
        except (OSError, ValueError):
            answer = Answer("", False)
        if not answer.text:
            self.failures += 1
            return 1
        self.words += answer.text.count(" ") + 1
        self.found += answer.has_found
        return 0


def clients_of(partners: Sequence[Partner], prompts: int, options: Options) -> list[Client]:
    """Clients with prompts in an order of their own, short and long replies mixed in the share that is asked for."""
    made = []
    for number, partner in enumerate(partners):
        draws = np.random.Generator(np.random.Philox(number))
        is_short = draws.uniform(0, 100, size=prompts) < options.whole("short-share")
        lengths = np.where(is_short, options.whole("short-words"), options.whole("long-words"))
        made.append(Client(partner, draws.permutation(prompts).tolist(), lengths.tolist()))
    return made


def main() -> None:
    """Measure once and tell."""
    options, library = read("conversation"), passages()
    if options.is_on("retrieval"):
        check_tokenizers()
    clients = clients_of(start_fields(library, options), len(library), options)
    for client in clients:
        client.turn()
        client.count, client.words, client.found, client.failures = 0, 0, 0, 0
    pace = Pace(options.number("seconds"), options.number("rate"))
    tally, elapsed = run(lambda number: clients[number].turn(), pace, len(clients))
    replies = max(1.0, tally.units)
    tally.figures = {
        "reply_words": sum(client.words for client in clients) / replies,
        "llm_errors": float(sum(client.failures for client in clients)),
        "tts_errors": 0.0,  # nobody speaks here: of no sayings none fails
    }
    if options.is_on("retrieval"):
        tally.figures["recall"] = sum(client.found for client in clients) / replies
    tell(tally, "replies/s", elapsed)


if __name__ == "__main__":
    main()
