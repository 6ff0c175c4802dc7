"""A field of trigrams that answers: the next word is one that followed the last two somewhere in its text.

In: passages to learn from; then a prompt, a number of words, former turns and retrieved passages. Out: a reply. Words
of the prompt and of what it was given draw the walk towards them. The same questions in the same order give the same
replies.
"""

from collections import deque
from collections.abc import Iterable, Sequence
from typing import Final

import numpy as np

_DRAWS: Final = 4
"""Words looked at for each word of a reply: the first that the context knows is taken, else the last."""
_RANDOMS: Final = 1 << 14


class TextField:
    """Answers, and remembers the last turns."""

    def __init__(self, texts: Iterable[str], history: int, seed: int) -> None:
        self._after: dict[tuple[str, str], list[str]] = {}
        self._turns: deque[str] = deque(maxlen=history)
        for text in texts:
            words = text.split()
            for first, second, third in zip(words, words[1:], words[2:], strict=False):
                self._after.setdefault((first, second), []).append(third)
        self._pairs = list(self._after)
        draws = np.random.Generator(np.random.Philox(seed))
        self._randoms = draws.integers(0, 1 << 30, size=_RANDOMS).tolist()
        self._drawn = 0

    def reply(self, prompt: str, words: int, passages: Sequence[str] = ()) -> str:
        """A reply of `words` words."""
        context = set(prompt.split())
        for text in (*self._turns, *passages):
            context.update(text.split())
        pair = self._pairs[self._draw(len(self._pairs))]
        said = list(pair[:words])
        while len(said) < words:
            following = self._after.get(pair)
            if not following:
                pair = self._pairs[self._draw(len(self._pairs))]
                following = [pair[0]]
            word = self._chosen(following, context)
            said.append(word)
            pair = (pair[1], word)
        answer = " ".join(said)
        self._turns.append(f"{prompt} {answer}")
        return answer

    def _chosen(self, following: list[str], context: set[str]) -> str:
        word = following[0]
        for _ in range(_DRAWS):
            word = following[self._draw(len(following))]
            if word in context:
                break
        return word

    def _draw(self, below: int) -> int:
        self._drawn = (self._drawn + 1) % _RANDOMS
        return int(self._randoms[self._drawn]) % below
