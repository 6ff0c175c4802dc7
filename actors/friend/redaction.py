"""What is taken out of a line before it is kept (dossier, section 6): a dream may quote what the user said.

In: a line. Out: the line with addresses, links, paths, long numbers and keys replaced by a mark. Words stay: what a
name is, no pattern tells. It refuses nothing; a line that is all secret becomes the mark alone.
"""

import re
from typing import Final

MARK: Final = "[…]"
PATTERNS: Final = (
    re.compile(r"\S+://\S+|\bwww\.\S+", re.IGNORECASE),
    re.compile(r"[^\s@<>()]+\s?@\s?[^\s@<>()]+\s?\.\s?[^\W\d_]{2,}"),
    re.compile(r"(?<!\w)(?:~|\.{1,2})?(?:/[^\s/]+){2,}/?|\b[A-Za-z]:\\\S+"),
    re.compile(r"(?<![\w.])\+?\d(?:[\s().-]{0,2}\d){5,}(?!\w)"),
    re.compile(r"(?<!\w)(?=\w*\d)(?=\w*[^\W\d_])[\w-]{16,}={0,2}(?!\w)"),
    re.compile(r"(?<!\w)[^\W_]{33,}(?!\w)"),
    re.compile(
        r"(?<!\w)(?:password|passwort|passphrase|secret|token|pin|api[ _-]?key)\s?(?:is|=|:)\s?\S+", re.IGNORECASE
    ),
)


def redact(line: str) -> str:
    """`line` without what looks like an address, a link, a path, a number of six digits or more, a key, a password."""
    for pattern in PATTERNS:
        line = pattern.sub(MARK, line)
    return line
