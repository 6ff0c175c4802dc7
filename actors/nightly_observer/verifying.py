"""Whether what nights left behind is whole: references, chain, schema, orphans, expiry; no key is needed (seed 004, 5).

In: the nights of a home; for a look inside, a way to open dreams and the key of the home. Out: findings by night. What
was removed because its time was over is `expired`, no fault; what is gone otherwise is `missing`; all else that does
not agree is `corrupt`. Nothing is written, and nothing of a dream is told.
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Final, Literal

from actors.nightly_observer.anchors import commit
from actors.nightly_observer.keeping import Nights, Ref
from actors.nightly_observer.lint import findings as forbidden_in
from actors.nightly_observer.sealing import SealError
from actors.nightly_observer.writer import NightlyFileError, value_of
from schemas.base import Record
from schemas.dream_artifact import DreamArtifact, DreamBlock
from schemas.night_settings import LANGUAGES, Language

Kind = Literal["ok", "corrupt", "missing", "expired"]
EXIT_CODES: Final[dict[Kind, int]] = {"ok": 0, "corrupt": 1, "missing": 2, "expired": 3}
REQUIRED: Final = ("schema", "config_snapshot", "stats", "plots")
"""Keys of `nightly.v1`."""


class Finding(Record):
    """What was found of a night or of one of its dreams."""

    date: str
    kind: Kind
    what: str
    ref: str | None = None


@dataclass(frozen=True)
class Opening:
    """A look into the dreams."""

    open: Callable[[bytes], bytes]
    """Raises SealError."""
    key: bytes | None
    """Of the home; None where there is none, so that commitments are not checked."""


def verify(nights: Nights, dates: Iterable[str], opening: Opening | None = None) -> list[Finding]:
    """What is found of the nights of `dates`, each at least once."""
    return [finding for date in dates for finding in _night(nights, date, opening)]


def verdict_of(found: Iterable[Finding]) -> Kind:
    """The worst of them."""
    kinds = {finding.kind for finding in found}
    order: tuple[Kind, ...] = ("corrupt", "missing", "expired")
    return next((kind for kind in order if kind in kinds), "ok")


def read_block(nights: Nights, date: str) -> DreamBlock | None:
    """The `dream` block of a night; None without one. Raises NightlyFileError, OSError."""
    text = nights.nightly(date)
    if text is None:
        return None
    found = value_of(text, "dream")
    if found is None:
        return None
    try:
        return DreamBlock.model_validate_json(json.dumps(found))
    except ValueError as error:
        raise NightlyFileError(f"its dream block is none: {_first_line(error)}") from None


def language_of(nights: Nights, date: str) -> Language:
    """The language of a night's dreams, as its settings say; English where they do not."""
    snapshot = value_of(nights.nightly(date) or b"{}", "config_snapshot")
    try:
        language = snapshot["dream"]["renderer"]["language"]  # type: ignore[index] # anything else is caught
    except (TypeError, KeyError, IndexError):
        return "en"
    return next((each for each in LANGUAGES if each == language), "en")


def _night(nights: Nights, date: str, opening: Opening | None) -> list[Finding]:
    try:
        block = read_block(nights, date)
        if block is None:
            is_there = nights.nightly(date) is not None
            what = "nightly.json has no dream block" if is_there else "nightly.json is not there"
            return [Finding(date=date, kind="missing", what=what)]
        found = [*_schema(nights, date), *_chain(nights, date, block)]
        for text, commitment in zip(block.artifact_refs, block.content_commits, strict=True):
            found += _dream(nights, date, text, commitment, opening)
        found += _orphans(nights, date, block)
    except (NightlyFileError, OSError) as error:
        return [Finding(date=date, kind="corrupt", what=f"nightly.json cannot be used: {error}")]
    return found or [Finding(date=date, kind="ok", what=_described(block))]


def _schema(nights: Nights, date: str) -> Iterator[Finding]:
    text = nights.nightly(date) or b"{}"
    lacking = [key for key in REQUIRED if value_of(text, key) is None]
    if lacking and value_of(text, "run_meta") is not None:
        yield Finding(date=date, kind="corrupt", what=f"nightly.json lacks {', '.join(lacking)}")


def _chain(nights: Nights, date: str, block: DreamBlock) -> Iterator[Finding]:
    """The night before is the one that it was; a night that was run later than its follower is no break."""
    named = block.prev_nightly_sha256
    earlier = [each for each in nights.dates() if each < date]
    if named is None or any(named in nights.digests(each) for each in reversed(earlier)):
        return
    kind: Kind = "corrupt" if earlier else "missing"
    what = "was altered or removed" if earlier else "is not there"
    yield Finding(date=date, kind=kind, what=f"the night before, {named[:12]}.., {what}: the chain is broken")


def _dream(nights: Nights, date: str, text: str, commitment: str, opening: Opening | None) -> Iterator[Finding]:
    ref = Ref.parse(text)
    if ref is None or ref.date != date:
        yield Finding(date=date, kind="corrupt", what="a reference names another night", ref=text)
        return
    stored = nights.read(ref)
    if stored is None:
        is_expired = nights.is_expired(ref)
        what = "its time was over, it was removed" if is_expired else "the dream is not there"
        yield Finding(date=date, kind="expired" if is_expired else "missing", what=what, ref=text)
    elif hashlib.sha256(stored).hexdigest() != ref.sha256:
        yield Finding(date=date, kind="corrupt", what="the dream was altered", ref=text)
    elif opening is not None:
        yield from _inside(nights, ref, stored, commitment, opening)


def _inside(nights: Nights, ref: Ref, stored: bytes, commitment: str, opening: Opening) -> Iterator[Finding]:
    try:
        plain = opening.open(stored)
        artifact = DreamArtifact.model_validate_json(plain)
    except (SealError, ValueError) as error:
        yield Finding(date=ref.date, kind="corrupt", what=f"it does not open: {_first_line(error)}", ref=str(ref))
        return
    if opening.key is not None and commit(opening.key, plain) != commitment:
        yield Finding(date=ref.date, kind="corrupt", what="it is not what the night committed to", ref=str(ref))
    if forbidden_in(artifact.prompt, language_of(nights, ref.date)):
        yield Finding(date=ref.date, kind="corrupt", what="its text says what no dream may say", ref=str(ref))


def _orphans(nights: Nights, date: str, block: DreamBlock) -> Iterator[Finding]:
    named = {nights.find(ref) for text in block.artifact_refs if (ref := Ref.parse(text)) is not None}
    for name in (*nights.stored(date), *nights.left_over(date)):
        if name not in named:
            yield Finding(date=date, kind="corrupt", what=f"{name} is an orphan: no reference names it")


def _described(block: DreamBlock) -> str:
    if block.status == "skipped":
        return f"skipped, {block.skip_reason}"
    return f"{block.count} {'dream' if block.count == 1 else 'dreams'}, {block.privacy.content}"


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0][:200] if str(error) else type(error).__name__
