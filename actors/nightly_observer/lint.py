"""What no prompt may say: causes, meanings, conclusions, judgements, dates, ids, numbers, `you` (seed 004, 10).

In: a prompt and its language. Out: every finding with its kind and place, none for a clean prompt. The text is folded
first (NFKC, case, invisible characters), so that no spelling slips through. Both languages are looked for in either;
a script of the other language is a finding too. A scene's constraints are not for this: they name what they forbid.
"""

import re
import unicodedata
from collections.abc import Iterator, Mapping
from typing import Final, Literal, NamedTuple

from schemas.night_settings import Language

Kind = Literal["cause", "meaning", "conclusion", "judgement", "number", "date", "id", "person", "script"]


class Finding(NamedTuple):
    """One thing that a prompt says and may not."""

    kind: Kind
    text: str
    at: int
    """Position in the folded text."""


ENGLISH_WORDS: Final[Mapping[Kind, str]] = {
    "cause": """because therefore thus hence since caus* reason* why owing consequen* accordingly due-to so-that
        as-a-result leads-to led-to results-in""",
    "meaning": """means mean meaning* meant symbol* represent* signif* suggest* imply implies implied implying
        indicat* reveal* interpret* stands-for stand-for shows-that metaphor* allegor* denot* connot*""",
    "conclusion": """conclud* conclusion* in-the-end finally ultimately overall resolv* lesson* learned learnt must
        should ought moral in-summary in-short the-end all-in-all""",
    "judgement": """good bad better worse best worst healthy unhealthy correct* incorrect* wrong* right rightly
        success* fail* problem* excessive* too-much too-many normal* abnormal* improv* important* warning* proof prove*
        proving certain* confiden* valid* invalid* flaw* ideal* perfect*""",
    "person": "you your yours yourself yourselves thou thee",
    "date": """january february april june july august september october november december monday tuesday wednesday
        thursday friday saturday sunday today yesterday tomorrow tonight""",
}
"""Whole words; `*` stands for any ending, `-` for a gap. March and May are words of other kinds as well: left out."""

JAPANESE_WORDS: Final[Mapping[Kind, str]] = {
    "cause": "なぜ どうして 理由 原因 だから したがって したため ために のため ゆえに ので せいで おかげ 結果",
    "meaning": "意味 象徴 示唆 解釈 暗示 表している 示して を表す 寓意 比喩",
    "conclusion": "結論 つまり 結局 べき 教訓 ついに 最後には ようするに 要するに 解決",
    "judgement": """良い 良く 悪い 悪く よい結果 正しい 間違 問題 異常 正常 重要 成功 失敗 改善 優れ 劣 健全 不健全 過剰
        警告 証明 確実 妥当""",
    "person": "あなた 君は 君の お前 おまえ きみ 貴方",
    "date": "昨日 明日 曜日 年前 年後",
}
_JAPANESE_SCRIPT: Final = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]")
_LATIN_SCRIPT: Final = re.compile(r"[a-z]+")
_ANCHOR: Final = re.compile(r"\b[hm]:[0-9a-f]{2,}|\b(?=[0-9a-f]*[0-9])[0-9a-f]{8,}\b|\*\*\*|[0-9a-f]{8}-[0-9a-f]{4}-")
_NUMBER: Final = re.compile(r"\d+|%")
_DATED: Final = re.compile(r"[一二三四五六七八九十〇]+(?:年|月|日)|\b(?:march|may)\s+\d|\d\s*(?:年|月|日)")


def findings(prompt: str, language: Language) -> tuple[Finding, ...]:
    """What `prompt` says and may not, in order of appearance."""
    folded = _fold(prompt)
    found = [*_words(folded), *_shapes(folded), *_script(folded, language)]
    return tuple(sorted(set(found), key=lambda each: (each.at, each.kind, each.text)))


def _words(folded: str) -> Iterator[Finding]:
    for kind, pattern in _PATTERNS:
        for match in pattern.finditer(folded):
            yield Finding(kind, match.group(), match.start())


def _shapes(folded: str) -> Iterator[Finding]:
    shapes: tuple[tuple[Kind, re.Pattern[str]], ...] = (("id", _ANCHOR), ("number", _NUMBER), ("date", _DATED))
    for kind, pattern in shapes:
        for match in pattern.finditer(folded):
            yield Finding(kind, match.group(), match.start())


def _script(folded: str, language: Language) -> Iterator[Finding]:
    foreign = _JAPANESE_SCRIPT if language == "en" else _LATIN_SCRIPT
    for match in foreign.finditer(folded):
        yield Finding("script", match.group(), match.start())


def _fold(prompt: str) -> str:
    """One form of all spellings; the marks that list items begin with are gone."""
    text = unicodedata.normalize("NFKC", prompt).casefold()
    text = "".join(char for char in text if unicodedata.category(char) != "Cf")
    return re.sub(r"^(?:- |\d+[.)] )", "", text, flags=re.MULTILINE)


def _english(words: str) -> re.Pattern[str]:
    forms = (re.escape(word).replace(r"\*", r"\w*").replace(r"\-", r"[\W_]+") for word in words.split())
    return re.compile(rf"\b(?:{'|'.join(forms)})\b")


def _japanese(words: str) -> re.Pattern[str]:
    return re.compile("|".join(re.escape(word) for word in words.split()))


_PATTERNS: Final[tuple[tuple[Kind, re.Pattern[str]], ...]] = (
    *((kind, _english(words)) for kind, words in ENGLISH_WORDS.items()),
    *((kind, _japanese(words)) for kind, words in JAPANESE_WORDS.items()),
)
