"""The pictures and facts of a run, prepared before any actor starts: the user's own, or those of the sample set.

In: [run] of the settings. Out: an `InputSet` of RGB pictures of one size class and of facts, with the name of and the
reason for everything that was left out. Refused: fewer than two readable pictures, a facts file that cannot be read.
Nothing in the user's folder is changed.

Pictures are taken in order of names, one for each distinct content. Hidden files are passed over, and so are those
whose names do not end like a picture's; when there are no others, these are tried. Facts are UTF-8 text, one a line;
blank lines and lines that begin with # are passed over. A facts file without facts is allowed, and said.
"""

import codecs
import hashlib
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from bus.files import write_atomically
from schemas.ids import derived_id
from schemas.inputs import Factoid, InputSet, Picture
from schemas.settings import RunSettings
from supervisor.errors import InputsRefusedError
from supervisor.pictures import PICTURE_SUFFIXES, PictureRefusedError, decode_picture

SAMPLE: Final = Path(__file__).parent / "sample"
MIN_PICTURES: Final = 2
MAX_FACTS: Final = 10_000
MAX_FACT_CHARACTERS: Final = 2000
MAX_FACTS_BYTES: Final = 32 * 1024 * 1024


@dataclass(frozen=True)
class PreparedInputs:
    """An input set, and what did not make it there."""

    inputs: InputSet
    content: bytes
    """`inputs.to_bytes()`."""
    sha256: str
    """Hexadecimal SHA-256 of `content`: the name of the set."""
    refused: tuple[tuple[str, str], ...]
    """File name, or file name and line, with the reason."""
    warnings: tuple[str, ...]


@dataclass
class _Report:
    refused: list[tuple[str, str]] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def prepare_inputs(run: RunSettings) -> PreparedInputs:
    """Read what `run` names; raises InputsRefusedError when it does not do for a run."""
    report = _Report()
    pictures = _take_pictures(Path(run.images) if run.images else SAMPLE / "pictures", run, report)
    factoids = _take_factoids(Path(run.factoids) if run.factoids else SAMPLE / "factoids.txt", report)
    inputs = InputSet(pictures=pictures, factoids=factoids)
    content = inputs.to_bytes()
    digest = hashlib.sha256(content).hexdigest()
    return PreparedInputs(inputs, content, digest, tuple(report.refused), tuple(report.warnings))


def store_inputs(prepared: PreparedInputs, folder: Path) -> Path:
    """The file of the set in `folder` (`home/inputs`), written when it is not there; raises OSError."""
    path = folder / f"{prepared.sha256}.msgpack"
    if not path.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        write_atomically(path, prepared.content)
    return path


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
        name = _readable(path.name)
        try:
            picture = _picture(path, name, run.image_side)
        except PictureRefusedError as error:
            report.refused.append((name, error.reason))
            continue
        known = taken.setdefault(picture.image_id, picture)
        if known is not picture:
            report.refused.append((name, f"the same picture as {known.name}"))
    if len(taken) < MIN_PICTURES:
        summary = f"{folder}: {len(taken)} readable pictures, at least {MIN_PICTURES} different ones are needed"
        listed = [f"{name}: {reason}" for name, reason in report.refused] or ["the folder holds no picture files"]
        raise InputsRefusedError(summary, tuple(listed))
    return tuple(taken.values())


def _picture_files(folder: Path) -> list[Path]:
    try:
        visible = [path for path in folder.iterdir() if not path.name.startswith(".") and not path.is_dir()]
    except OSError as error:
        raise InputsRefusedError(f"{folder}: cannot be read ({error.strerror or error})") from error
    visible.sort(key=lambda path: os.fsencode(path.name))
    return [path for path in visible if path.suffix.lower() in PICTURE_SUFFIXES] or visible


def _picture(path: Path, name: str, side: int) -> Picture:
    pixels = decode_picture(path, side)
    height, width, _ = pixels.shape
    rgb = pixels.tobytes()
    image_id = derived_id("picture", height, width, hashlib.sha256(rgb).hexdigest())
    return Picture(image_id=image_id, name=name, height=height, width=width, rgb=rgb)


def _readable(name: str) -> str:
    return os.fsencode(name).decode("utf-8", "replace")


def _take_factoids(path: Path, report: _Report) -> tuple[Factoid, ...]:
    taken: dict[str, Factoid] = {}
    for number, line in enumerate(_lines(path), start=1):
        try:
            text = line.decode("utf-8").strip()
        except UnicodeDecodeError:
            report.refused.append((f"{path.name} line {number}", "not UTF-8 text"))
            continue
        if not text or text.startswith("#"):
            continue
        if len(text) > MAX_FACT_CHARACTERS:
            reason = f"{len(text)} characters, at most {MAX_FACT_CHARACTERS} are taken"
            report.refused.append((f"{path.name} line {number}", reason))
            continue
        if len(taken) == MAX_FACTS:
            report.warnings.append(f"{path}: the first {MAX_FACTS} facts are used, those from line {number} on are not")
            break
        factoid = Factoid(factoid_id=derived_id("factoid", text), text=text)
        taken.setdefault(factoid.factoid_id, factoid)
    if not taken:
        report.warnings.append(f"{path}: holds no facts; nothing is dreamt from facts")
    return tuple(taken.values())


def _lines(path: Path) -> list[bytes]:
    try:
        if path.stat().st_size > MAX_FACTS_BYTES:
            raise InputsRefusedError(f"{path}: {path.stat().st_size} bytes, a facts file has at most {MAX_FACTS_BYTES}")
        return path.read_bytes().removeprefix(codecs.BOM_UTF8).split(b"\n")
    except OSError as error:
        raise InputsRefusedError(f"{path}: cannot be read ({error.strerror or error})") from error
