"""Finds the passages that a question is about, by whole words and by parts of words, and fuses the two rankings.

In: passages, then questions. Out: numbers of passages, best first (reciprocal rank fusion of two FTS5 indexes). The
database is in memory and in the process of a workload: nothing of Oneiros is opened, the pool least of all.
"""

import re
import sqlite3
from collections.abc import Iterable
from typing import Final

from actors.regime_runner.workloads.sampling import leave_unavailable

CANDIDATES: Final = 20
"""Passages that each index names."""
_WORD: Final = re.compile(r"[A-Za-z0-9_]{3,}")
_QUERY: Final = "SELECT rowid FROM {index} WHERE {index} MATCH ? ORDER BY rank LIMIT ?"
_INDEXES: Final = {"words": "porter unicode61", "parts": "trigram"}
"""Index -> its tokenizer."""


def check_tokenizers() -> None:
    """End this program as unavailable where SQLite has no full-text search with both tokenizers."""
    try:
        Retriever(["a word"])
    except sqlite3.OperationalError as error:
        leave_unavailable(f"SQLite {sqlite3.sqlite_version} has no such full-text search: {error}")


class Retriever:
    """Two indexes of the same passages."""

    def __init__(self, texts: Iterable[str]) -> None:
        self._database = sqlite3.connect(":memory:")
        numbered = list(enumerate(texts))
        for index, tokenizer in _INDEXES.items():
            self._database.execute(f"CREATE VIRTUAL TABLE {index} USING fts5(text, tokenize='{tokenizer}')")
            self._database.executemany(f"INSERT INTO {index}(rowid, text) VALUES (?, ?)", numbered)  # noqa: S608

    def find(self, question: str, top_k: int, rrf_k: int) -> list[int]:
        """Numbers of at most `top_k` passages."""
        match = " OR ".join(f'"{word}"' for word in dict.fromkeys(_WORD.findall(question)))
        if not match:
            return []
        scores: dict[int, float] = {}
        for index in _INDEXES:
            rows = self._database.execute(_QUERY.format(index=index), (match, CANDIDATES))
            for rank, (number,) in enumerate(rows, 1):
                scores[number] = scores.get(number, 0.0) + 1.0 / (rrf_k + rank)
        return sorted(scores, key=lambda number: (-scores[number], number))[:top_k]
