"""The pictures and facts of a run, prepared before any actor starts: the user's own, or those of the sample set.

In: [run] of the settings. Out: an `InputSet` of RGB pictures of one size class and of facts, with the name of and the
reason for everything that was left out. Refused: fewer than two readable pictures, a facts file that cannot be read, a
path that is no UTF-8 text. Nothing in the user's folder is changed.

Pictures are taken in order of names, one for each distinct content. Hidden files are passed over, and so are those
whose names do not end like a picture's; when there are no others, these are tried. Facts are UTF-8 text, one a line;
blank lines and lines that begin with # are passed over. A facts file without facts is allowed, and said.
"""

import codecs
import hashlib
import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from bus.files import write_atomically
from schemas.ids import derived_id
from schemas.inputs import Factoid, InputSet, Picture
from schemas.settings import RunSettings
from supervisor.errors import InputsRefusedError
from supervisor.home import is_utf8
from supervisor.left_out import LeftOut, Refused, shorten
from supervisor.log_lines import printable
from supervisor.pictures import PICTURE_SUFFIXES, PictureRefusedError, decode_picture

SAMPLE: Final = Path(__file__).parent / "sample"
MIN_PICTURES: Final = 2
MAX_FACTS: Final = 10_000
MAX_FACT_CHARACTERS: Final = 2000
MAX_FACTS_BYTES: Final = 32 * 1024 * 1024
CONTROL: Final = re.compile(r"[\x00-\x08\x0a-\x1f\x7f-\x9f]")
"""What a line of text does not hold; a tab is allowed."""


@dataclass(frozen=True)
class PreparedInputs:
    """An input set, and what did not make it there."""

    inputs: InputSet
    content: bytes
    """`inputs.to_bytes()`."""
    sha256: str
    """Hexadecimal SHA-256 of `content`: the name of the set."""
    left_out: LeftOut
    """What cannot be used."""
    warnings: tuple[str, ...]

    @property
    def notices(self) -> tuple[str, ...]:
        """What the user should know, in a few lines."""
        return (*(f"left out: {line}" for line in self.left_out.lines()), *self.warnings)


@dataclass
class _Report:
    pictures: list[Refused] = field(default_factory=list)
    facts: list[Refused] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def prepare_inputs(run: RunSettings) -> PreparedInputs:
    """Read what `run` names; raises InputsRefusedError when it does not do for a run."""
    for path in (run.images, run.factoids):
        _check_is_utf8(path)
    report = _Report()
    pictures = _take_pictures(Path(run.images) if run.images else SAMPLE / "pictures", run, report)
    factoids = _take_factoids(Path(run.factoids) if run.factoids else SAMPLE / "factoids.txt", report)
    inputs = InputSet(pictures=pictures, factoids=factoids)
    content = inputs.to_bytes()
    digest = hashlib.sha256(content).hexdigest()
    left_out = LeftOut(tuple(report.pictures), tuple(report.facts))
    return PreparedInputs(inputs, content, digest, left_out, tuple(report.warnings))


def store_inputs(prepared: PreparedInputs, folder: Path) -> Path:
    """The file of the set in `folder` (`home/inputs`), written when it is not there or damaged; raises OSError."""
    path = folder / f"{prepared.sha256}.msgpack"
    if not _is_intact(path, prepared):
        folder.mkdir(parents=True, exist_ok=True)
        write_atomically(path, prepared.content)
    return path


def _is_intact(path: Path, prepared: PreparedInputs) -> bool:
    """Whether the file at `path` holds the set: a name can outlive its content."""
    try:
        return path.stat().st_size == len(prepared.content) and path.read_bytes() == prepared.content
    except FileNotFoundError:
        return False


def _take_pictures(folder: Path, run: RunSettings, report: _Report) -> tuple[Picture, ...]:
    taken: dict[str, Picture] = {}
    files = _picture_files(folder)
    for index, path in enumerate(files):
        if len(taken) == run.max_images:
            report.warnings.append(
                f"{folder}: the first {run.max_images} pictures are used, {len(files) - index} later files are not; "
                "raise run.max_images to use more"
            )
            break
        name = printable(path.name)
        try:
            picture = picture_from(path, name, run.image_side)
        except PictureRefusedError as error:
            report.pictures.append((name, printable(error.reason)))
            continue
        known = taken.setdefault(picture.image_id, picture)
        if known is not picture:
            report.pictures.append((name, f"the same picture as {known.name}"))
    if len(taken) < MIN_PICTURES:
        if not files:
            raise InputsRefusedError(f"{folder} holds no pictures, a run needs at least {MIN_PICTURES}")
        summary = f"needs at least {MIN_PICTURES} readable pictures, found {len(taken)} in {folder}"
        raise InputsRefusedError(summary, shorten(report.pictures, "picture"))
    return tuple(taken.values())


def _picture_files(folder: Path) -> list[Path]:
    try:
        visible = [path for path in folder.iterdir() if not path.name.startswith(".") and not path.is_dir()]
    except OSError as error:
        raise InputsRefusedError(f"{folder}: cannot be read ({error.strerror or error})") from error
    visible.sort(key=lambda path: os.fsencode(path.name))
    return [path for path in visible if path.suffix.lower() in PICTURE_SUFFIXES] or visible


def picture_from(path: Path, name: str, side: int) -> Picture:
    """The picture at `path` as a run has it; raises PictureRefusedError."""
    pixels = decode_picture(path, side)
    height, width, _ = pixels.shape
    rgb = pixels.tobytes()
    image_id = derived_id("picture", height, width, hashlib.sha256(rgb).hexdigest())
    return Picture(image_id=image_id, name=name, height=height, width=width, rgb=rgb)


def _check_is_utf8(path: str) -> None:
    if not is_utf8(path):
        raise InputsRefusedError(f"{printable(path)}: the path is no UTF-8 text, which no manifest can hold; rename it")


def _take_factoids(path: Path, report: _Report) -> tuple[Factoid, ...]:
    taken: dict[str, Factoid] = {}
    name = printable(path.name)
    lines = _lines(path)
    _check_is_text(path, lines)
    for number, line in enumerate(lines, start=1):
        text = line.decode("utf-8", "replace").strip()
        if not text or text.startswith("#"):
            continue
        reason = _refusal_of(line)
        if reason is not None:
            report.facts.append((f"{name} line {number}", reason))
            continue
        if len(taken) == MAX_FACTS:
            report.warnings.append(f"{path}: the first {MAX_FACTS} facts are used, those from line {number} on are not")
            break
        factoid = Factoid(factoid_id=derived_id("factoid", text), text=text)
        taken.setdefault(factoid.factoid_id, factoid)
    if not taken:
        report.warnings.append(f"{path}: holds no facts; nothing is dreamt from facts")
    return tuple(taken.values())


def _check_is_text(path: Path, lines: list[bytes]) -> None:
    """Raise InputsRefusedError when most lines are not text: then the file was never meant as facts."""
    filled = [line for line in lines if line.strip()]
    odd = sum(_reason_for_no_text(line) is not None for line in filled)
    if 2 * odd > len(filled):
        raise InputsRefusedError(f"{path}: not a text file ({odd} of {len(filled)} lines are no text)")


def _refusal_of(line: bytes) -> str | None:
    """Why the fact in `line` is not taken, None when it is."""
    reason = _reason_for_no_text(line)
    if reason is not None:
        return reason
    length = len(line.decode("utf-8").strip())
    return f"{length} characters, at most {MAX_FACT_CHARACTERS} are taken" if length > MAX_FACT_CHARACTERS else None


def _reason_for_no_text(line: bytes) -> str | None:
    try:
        text = line.decode("utf-8").strip()
    except UnicodeDecodeError:
        return "not UTF-8 text"
    return "holds control characters" if CONTROL.search(text) else None


def _lines(path: Path) -> list[bytes]:
    try:
        if path.stat().st_size > MAX_FACTS_BYTES:
            raise InputsRefusedError(f"{path}: {path.stat().st_size} bytes, a facts file has at most {MAX_FACTS_BYTES}")
        return path.read_bytes().removeprefix(codecs.BOM_UTF8).split(b"\n")
    except OSError as error:
        raise InputsRefusedError(f"{path}: cannot be read ({error.strerror or error})") from error
