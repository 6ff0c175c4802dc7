"""A list of forbidden words of its own, apart from the product's: plain substrings, so stricter than it."""

import re
import unicodedata

ENGLISH = """because therefore thus hence so that as a result leads to led to caused causes reason why explains
    means meaning meant symbol represent signif suggest imply implies indicat reveal interpret stands for shows that
    conclud conclusion in the end finally ultimately overall resolved lesson learned must should
    good bad better worse best worst healthy correct wrong right success fail problem excessive too much too many
    normal improve important warning proof prove certain confiden valid score
    you your january february april june july august september october november december monday sunday"""
PHRASES = (
    *("so that", "as a result", "leads to", "led to", "stands for", "shows that", "in the end", "too much", "too many"),
    *("due to", "percent"),
)
WORDS = tuple(sorted(set(ENGLISH.split()) - set(" ".join(PHRASES).split())))
JAPANESE = (
    *(
        "なぜ",
        "理由",
        "原因",
        "だから",
        "したため",
        "のため",
        "ゆえに",
        "意味",
        "象徴",
        "示唆",
        "解釈",
        "結論",
        "つまり",
    ),
    *("結局", "べき", "教訓", "良い", "悪い", "正しい", "間違", "問題", "異常", "正常", "重要"),
)


def forbidden_in(prompt: str) -> list[str]:
    text = unicodedata.normalize("NFKC", prompt).casefold()
    found = [word for word in (*WORDS, *PHRASES, *JAPANESE) if word in text]
    found += re.findall(r"[0-9%]+|[hm]:[0-9a-f]+|\*\*\*", re.sub(r"^- ", "", text, flags=re.MULTILINE))
    return found
