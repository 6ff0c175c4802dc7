"""Reports say the same in every form, are the same bytes for the same run, and are valid however a run ends."""

import csv
import hashlib
import io
import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest

import actors.learner.trainer.reports as package
from actors.learner.trainer.reports.documents import DOCUMENTS, ReportManifest, canonical, json_schema
from actors.learner.trainer.reports.plots import INSTALL, NAMES, draw_plots
from actors.learner.trainer.reports.signing import NO_KEY, Signer, SigningError, is_valid, make_key
from actors.learner.trainer.reports.tables import MOST_STEPS, csv_of, metrics_of
from actors.learner.trainer.reports.writing import MANIFEST, NOT_WANTED, SIGNATURE, render, write_reports
from actors.learner.trainer.training.step_log import StepRow
from actors.learner.trainer.validator.findings import PartFindings
from tests.actors.learner.trainer.documents import digest, rows, told, validation

SCHEMAS = Path(str(package.__file__)).parent / "json_schemas"
NUMBER = re.compile(r"(?<![\w.])-?\d+(?:\.\d+)?(?:e[+-]?\d+)?(?![\w.]*\w)")


def numbers_in(tree: Any) -> set[str]:
    """Every number of a JSON tree as it is written, and the texts as they are."""
    if isinstance(tree, dict):
        return {item for key, value in tree.items() for item in numbers_in(value) | {key}}
    if isinstance(tree, list):
        return {item for value in tree for item in numbers_in(value)}
    return {json.dumps(tree) if not isinstance(tree, str) else tree}


@pytest.mark.parametrize("name", sorted(DOCUMENTS))
def test_the_json_schema_in_the_repository_is_that_of_the_document(name: str, request: pytest.FixtureRequest) -> None:
    path = SCHEMAS / f"{name.removesuffix('.json')}.schema.json"
    if request.config.getoption("--update-golden"):
        path.write_text(json_schema(DOCUMENTS[name]))

    assert path.read_text() == json_schema(DOCUMENTS[name]), "run: pytest tests/actors/learner/trainer --update-golden"


@pytest.mark.parametrize("status", ["complete", "partial"])
def test_every_json_file_fits_its_schema_and_reads_back_as_the_same_bytes(status: Any, tmp_path: Path) -> None:
    write_reports(tmp_path, told(status, "interrupted"), None, NOT_WANTED)

    for path in sorted(tmp_path.glob("*.json")):
        schema = json.loads((SCHEMAS / f"{path.stem}.schema.json").read_text())
        jsonschema.validate(json.loads(path.read_bytes()), schema)
        assert canonical(DOCUMENTS[path.name].model_validate_json(path.read_bytes())) == path.read_bytes()
        assert json.loads(path.read_bytes())["status"] == status


def test_a_document_with_an_unknown_key_or_without_one_does_not_fit_its_schema() -> None:
    schema = json.loads((SCHEMAS / "train_summary.schema.json").read_text())
    tree = json.loads(render(told(), NOT_WANTED).files["train_summary.json"])

    with pytest.raises(jsonschema.ValidationError, match="mood"):
        jsonschema.validate({**tree, "mood": "good"}, schema)
    del tree["steps"]
    with pytest.raises(jsonschema.ValidationError, match="steps"):
        jsonschema.validate(tree, schema)


def test_keys_stand_in_order_and_nothing_tells_the_time_or_a_path() -> None:
    for name, content in render(told(), NOT_WANTED).files.items():
        if name.endswith(".json"):
            tree = json.loads(content)
            assert content == (json.dumps(tree, sort_keys=True, indent=2) + "\n").encode()
        assert not re.search(rb"20\d\d-\d\d-\d\d|\d\d:\d\d:\d\d|/home|/tmp|run_id", content), name


def test_csv_and_json_hold_the_same_values() -> None:
    metrics = metrics_of(rows(), "complete")

    read = list(csv.DictReader(io.StringIO(csv_of(metrics).decode())))
    expected = json.loads(canonical(metrics))["rows"]

    assert len(read) == len(expected) == 8
    for from_csv, from_json in zip(read, expected, strict=True):
        values = {
            name: None if cell == "" else cell if name == "row" else json.loads(cell) for name, cell in from_csv.items()
        }
        assert values == from_json


def test_more_steps_than_fit_are_counted_and_their_epochs_stay() -> None:
    row = next(row for row in rows() if isinstance(row, StepRow))
    many = (*([row] * (MOST_STEPS + 1)), *rows()[-1:])

    metrics = metrics_of(many, "complete")

    assert (metrics.steps_left_out, [row.row for row in metrics.rows]) == (MOST_STEPS + 1, ["epoch"])


@pytest.mark.parametrize("name", ["val_summary.md", "session_summary.md"])
def test_every_number_of_a_text_stands_in_a_json_file(name: str) -> None:
    files = render(told(), NOT_WANTED).files
    known = {
        item
        for file in ("train_summary.json", "validation_metrics.json")
        for item in numbers_in(json.loads(files[file]))
    }
    text = re.sub(r"`[0-9a-f]{64}`", "", files[name].decode())

    found = NUMBER.findall(text)

    assert len(found) > 10
    assert [number for number in found if number not in known] == []
    assert set(re.findall(r"`([0-9a-f]{64})`", files[name].decode())) <= known


def test_an_undefined_figure_is_a_dash_with_its_reason_in_the_text() -> None:
    text = render(told(), NOT_WANTED).files["val_summary.md"].decode()

    assert "third $x$, precision: no example is taken for this class" in text
    assert "first \\| one" in text


def test_a_partial_run_says_so_in_every_file(tmp_path: Path) -> None:
    write_reports(tmp_path, told("partial", "loss_not_finite"), None, NOT_WANTED)

    assert "**partial**: loss_not_finite" in (tmp_path / "session_summary.md").read_text()
    assert "**Partial**" in (tmp_path / "val_summary.md").read_text()
    assert json.loads((tmp_path / "training_metrics.json").read_bytes())["status"] == "partial"


def test_the_manifest_has_the_hash_of_every_file_and_the_reason_for_each_that_is_absent(tmp_path: Path) -> None:
    manifest = write_reports(tmp_path, told(), None, NOT_WANTED)

    there = {path.name for path in tmp_path.iterdir()} - {MANIFEST}
    assert there == set(manifest.files)
    for name, file in manifest.files.items():
        assert hashlib.sha256((tmp_path / name).read_bytes()).hexdigest() == file.sha256
    assert manifest.absent == dict.fromkeys(NAMES, NOT_WANTED)
    assert (manifest.is_signed, manifest.unsigned_reason) == (False, NO_KEY)


def test_writing_again_gives_the_same_bytes(tmp_path: Path) -> None:
    write_reports(tmp_path, told(), None, NOT_WANTED)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}

    write_reports(tmp_path, told(), None, NOT_WANTED)

    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_plots_are_the_same_bytes_again_and_carry_no_date_whatever_style_is_set() -> None:
    mpl = pytest.importorskip("matplotlib", reason="the extra `plots` is not installed")
    metrics, measured = metrics_of(rows(), "complete"), validation()
    first, absent = draw_plots(metrics, measured)

    with mpl.rc_context({"figure.facecolor": "red", "lines.linewidth": 9.0}):
        second, _ = draw_plots(metrics, measured)

    assert absent == {}
    assert first == second
    assert set(first) == set(NAMES)
    for content in first.values():
        assert content.startswith(b"\x89PNG")
        assert not {b"tEXt", b"tIME", b"iTXt"} & {content[at : at + 4] for at in range(len(content) - 4)}


def test_names_that_a_font_lacks_or_that_are_no_print_draw_without_a_word(recwarn: pytest.WarningsRecorder) -> None:
    pytest.importorskip("matplotlib", reason="the extra `plots` is not installed")
    measured = validation("partial")
    found = measured.val
    assert isinstance(found, PartFindings)
    odd = zip(("\u732b\U0001f408", "a\nb\x1b[31m", "$x$ \\ {"), found.classes, strict=True)
    classes = tuple(row.model_copy(update={"name": name}) for name, row in odd)
    measured = measured.model_copy(update={"val": found.model_copy(update={"classes": classes})})

    drawn, _ = draw_plots(metrics_of(rows(), "complete"), measured)

    assert "confusion.png" in drawn
    assert not recwarn.list


def test_without_matplotlib_each_plot_is_absent_with_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "matplotlib", None)

    drawn, absent = draw_plots(metrics_of(rows(), "complete"), validation())

    assert drawn == {}
    assert absent == dict.fromkeys(NAMES, INSTALL)


def test_what_cannot_be_drawn_is_absent_with_the_reason() -> None:
    pytest.importorskip("matplotlib", reason="the extra `plots` is not installed")

    _, absent = draw_plots(metrics_of((), "partial"), validation())

    assert absent == dict.fromkeys(("loss.png", "accuracy.png"), "no epoch is completed")


def test_a_signature_holds_for_its_manifest_alone_and_is_the_same_twice(tmp_path: Path) -> None:
    pytest.importorskip("cryptography", reason="the extra `sign` is not installed")
    public = make_key(tmp_path / "key.pem")
    signer = Signer(tmp_path / "key.pem")

    manifest = write_reports(tmp_path / "reports", told(), signer, NOT_WANTED)

    content = (tmp_path / "reports" / MANIFEST).read_bytes()
    signature = DOCUMENTS[SIGNATURE].model_validate_json((tmp_path / "reports" / SIGNATURE).read_bytes())
    assert manifest.is_signed
    assert (signature.public_key, signer.sign(content)) == (public, signature)  # type: ignore[attr-defined]
    assert is_valid(signature, content)  # type: ignore[arg-type]
    assert not is_valid(signature, content.replace(b"complete", b"Complete"))  # type: ignore[arg-type]
    assert not is_valid(signature.model_copy(update={"public_key": digest("other")}), content)  # type: ignore[arg-type]


def test_keys_that_do_not_do_are_refused_in_words(tmp_path: Path) -> None:
    pytest.importorskip("cryptography", reason="the extra `sign` is not installed")
    path = tmp_path / "key.pem"
    make_key(path)

    with pytest.raises(SigningError, match="there already"):
        make_key(path)
    path.chmod(0o644)
    with pytest.raises(SigningError, match="chmod 600"):
        Signer(path)
    path.write_text("no key")
    path.chmod(0o600)
    with pytest.raises(SigningError, match="is no private key"):
        Signer(path)
    with pytest.raises(SigningError, match="keygen"):
        Signer(tmp_path / "nowhere.pem")


def test_a_stale_signature_does_not_outlive_its_manifest(tmp_path: Path) -> None:
    (tmp_path / SIGNATURE).write_text("old")

    write_reports(tmp_path, told(), None, NOT_WANTED)

    assert not (tmp_path / SIGNATURE).exists()
    assert isinstance(ReportManifest.model_validate_json((tmp_path / MANIFEST).read_bytes()), ReportManifest)
