"""The themes of a field: groups of content words that stand near each other (dossier, section 1).

In: counts, a text. Out: the themes, the heaviest first, and the numbers of those that the text touches. A theme is a
word with many neighbours and the nearest of them; two that share much are one. A text touches a theme by two different
words of it, or by the word that it grew around. It refuses nothing; a field without neighbourhoods has no theme.
"""

from collections.abc import Sequence
from typing import Final

from actors.friend.field.counts import View
from actors.friend.words import content_words

MOST_THEMES: Final = 32
LEAST_NEIGHBOURS: Final = 4
MOST_NEIGHBOURS: Final = 12
SAME: Final = 0.4
"""Share of common words at which two themes are one."""

Theme = tuple[str, ...]
"""The word that it grew around, then its neighbours, the nearest first."""


def themes_of(field: View) -> tuple[Theme, ...]:
    """The themes of `field`, the heaviest first."""
    hubs = sorted({word for part in field.parts for word in part.neighbours})
    rows = {hub: field.near(hub) for hub in hubs}
    ranked = sorted((-sum(row[word] for word in sorted(row)), hub) for hub, row in rows.items())
    themes: list[Theme] = []
    for _, hub in ranked:
        row = rows[hub]
        if len(row) < LEAST_NEIGHBOURS:
            continue
        nearest = sorted(row, key=lambda word: (-row[word], word))[:MOST_NEIGHBOURS]
        theme = (hub, *nearest)
        if not any(_is_same(theme, other) for other in themes):
            themes.append(theme)
        if len(themes) == MOST_THEMES:
            break
    return tuple(themes)


def active(text: str, themes: Sequence[Theme]) -> tuple[int, ...]:
    """The numbers of the themes that `text` touches."""
    words = set(content_words(text))
    return tuple(
        number for number, theme in enumerate(themes) if theme[0] in words or len(words.intersection(theme)) > 1
    )


def _is_same(one: Theme, other: Theme) -> bool:
    common = len(set(one) & set(other))
    return common / (len(one) + len(other) - common) >= SAME
