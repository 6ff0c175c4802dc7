"""Facts as colours: deterministic text-to-colour rules, word by word.

In: one line of text. Out: one colour a word. Refuses nothing: a text without letters or digits is one mid grey. The
rules follow the pairing of the older dream pool specification (information, sentiment, syntax) and need no dictionary
beyond the three short lists below:

- information -> saturation: 0.2 + 0.8 * min(1, d / 8), d the number of different letters and digits of the word;
- sentiment -> hue: 160 - 160 * v degrees, so praise is red to orange, the neutral green, blame blue to magenta. v is
  +1 or -1 for a listed word, else 0.6 * (bright - dark) / vowels with e, i, y bright and o, u dark (the sound of a
  word); each word's v is then averaged with its neighbours', weights 1/4, 1/2, 1/4;
- syntax -> brightness: 0.45 for a listed function word, else 0.8; + 0.15 with a capital or a digit; - 0.1 before
  punctuation.
"""

from typing import Final

from schemas.colour import Rgb, to_rgb

MAX_WORDS: Final = 256
MID_GREY: Final[Rgb] = (0.5, 0.5, 0.5)


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


PRAISE: Final = _words(
    "good great best light bright warm love life alive gold golden sweet safe free new rich clear calm beautiful "
    "young strong pure happy joy kind grow grows bloom blooms sun sunlight spring"
)
BLAME: Final = _words(
    "bad worst dark cold death dead die dies fear poison toxic war pain lost lose weak old poor harm danger dangerous "
    "storm decay extinct fall falls break breaks never no not without"
)
FUNCTION_WORDS: Final = _words(
    "a an the of in on at to from by for with and or but as than that this which it its is are was were be been has "
    "have had do does did can may into over under about between through when where while their they"
)
BRIGHT_VOWELS: Final = "eiy"
DARK_VOWELS: Final = "ou"
VOWELS: Final = "aeiouy"


def colours_of(text: str) -> tuple[Rgb, ...]:
    """One colour a word of `text`, in reading order, at most `MAX_WORDS`."""
    words = [word for word in text.split()[:MAX_WORDS] if any(map(str.isalnum, word))]
    if not words:
        return (MID_GREY,)
    valences = [_valence(word) for word in words]
    padded = [valences[0], *valences, valences[-1]]
    hues = [
        160.0 - 160.0 * (before + 2.0 * here + after) / 4.0
        for before, here, after in zip(padded, padded[1:], padded[2:], strict=False)
    ]
    return tuple(to_rgb((hue, _saturation(word), _brightness(word))) for hue, word in zip(hues, words, strict=True))


def _bare(word: str) -> str:
    return "".join(filter(str.isalnum, word)).lower()


def _saturation(word: str) -> float:
    return 0.2 + 0.8 * min(1.0, len(frozenset(_bare(word))) / 8.0)


def _valence(word: str) -> float:
    bare = _bare(word)
    if bare in PRAISE:
        return 1.0
    if bare in BLAME:
        return -1.0
    bright, dark, vowels = (sum(map(bare.count, kind)) for kind in (BRIGHT_VOWELS, DARK_VOWELS, VOWELS))
    return 0.6 * (bright - dark) / vowels if vowels else 0.0


def _brightness(word: str) -> float:
    brightness = 0.45 if _bare(word) in FUNCTION_WORDS else 0.8
    if any(letter.isupper() or letter.isdigit() for letter in word):
        brightness += 0.15
    if not word[-1].isalnum():
        brightness -= 0.1
    return brightness
