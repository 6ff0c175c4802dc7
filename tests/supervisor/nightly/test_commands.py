"""`supervisor nightly` on a home in which nights were lived: what it says, and with which exit code."""

import json

import pytest

from schemas.night_places import KEY_FILE, NIGHTS, inputs_folder
from supervisor.cli import run_cli
from tests.actors.nightly_observer.dream_seeds import one_of_each
from tests.actors.nightly_observer.night_house import NightHouse, gathered
from tests.night_examples import DATE


class Told:
    """The command line on one home."""

    def __init__(self, house: NightHouse, capsys) -> None:
        self.house = house
        self._capsys = capsys

    def ask(self, *words: str) -> tuple[int, str, str]:
        code = run_cli(["nightly", words[0], "--home", str(self.house.home), *words[1:]])
        return (code, *self._capsys.readouterr())


@pytest.fixture
def told(tmp_path, capsys):
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    return Told(NightHouse(home), capsys)


@pytest.fixture
def identity(told, tmp_path):
    path = tmp_path / "id"
    path.write_text(told.house.sealed())
    path.chmod(0o600)
    return path


def test_keygen_makes_an_identity_that_opens_what_is_sealed_for_its_recipient(told, tmp_path):
    code, out, _ = told.ask("keygen", "--out", str(tmp_path / "id"), "--json")

    made = json.loads(out)
    text = (tmp_path / "id").read_text()
    assert code == 0
    assert (tmp_path / "id").stat().st_mode & 0o777 == 0o600
    assert made["recipient"] in text
    assert "AGE-SECRET-KEY-1" in text
    assert "AGE-SECRET-KEY-1" not in out


def test_keygen_replaces_nothing_and_writes_nothing_into_the_home(told, tmp_path):
    (tmp_path / "id").write_text("mine")
    open_folder = tmp_path / "open"
    open_folder.mkdir()
    open_folder.chmod(0o777)

    codes = [
        told.ask("keygen", "--out", str(path))[0]
        for path in (tmp_path / "id", told.house.home / "id", open_folder / "id", tmp_path / "none" / "id")
    ]

    assert codes == [2, 2, 2, 2]
    assert (tmp_path / "id").read_text() == "mine"


def test_open_prints_a_dream_and_writes_nothing(told, identity):
    ref = told.house.live().block.artifact_refs[0]
    before = told.house.files()

    code, out, _ = told.ask("open", ref, "--identity", str(identity), "--json")

    assert code == 0
    assert json.loads(out)["dream_id"] == f"{DATE}_0001"
    assert told.house.files() == before


def test_open_says_what_is_missing(told, identity, tmp_path):
    ref = told.house.live().block.artifact_refs[0]
    stranger = tmp_path / "stranger"
    told.ask("keygen", "--out", str(stranger))
    identity.chmod(0o644)

    codes = [
        told.ask("open", ref)[0],
        told.ask("open", ref, "--identity", str(stranger))[0],
        told.ask("open", ref, "--identity", str(identity))[0],
        told.ask("open", "dream://x", "--identity", str(stranger))[0],
        told.ask("open", ref.replace(DATE, "2026-11-01"), "--identity", str(stranger))[0],
    ]

    assert codes == [2, 1, 2, 2, 1]


def test_a_dream_that_was_altered_is_not_opened(told):
    ref = told.house.live().block.artifact_refs[0]
    stored = next((told.house.home / NIGHTS / DATE).glob("0001-*"))
    stored.write_bytes(stored.read_bytes().replace(b'"prompt":"', b'"prompt":"x'))

    code, out, err = told.ask("open", ref)

    assert (code, out) == (1, "")
    assert "altered" in err


def test_verify_ends_with_the_worst_that_it_found(told, identity):
    empty = told.ask("verify")[0]
    told.house.live()
    whole = told.ask("verify", "--identity", str(identity))[0]
    told.house.live("2026-12-20", gathered(is_all_zero=True))
    over = told.ask("verify")[0]
    told.house.live("2026-12-21")
    dream = next((told.house.home / NIGHTS / "2026-12-21").glob("0001-*"))
    stored = dream.read_bytes()
    dream.unlink()
    missing = told.ask("verify")[0]
    dream.write_bytes(stored[:-1] + b"x")

    code, out, _ = told.ask("verify", "--json")

    assert (empty, whole, over, missing, code) == (0, 0, 3, 2, 1)
    assert json.loads(out)["verdict"] == "corrupt"


def test_a_replay_needs_what_the_night_looked_at(told):
    told.house.live(seen=gathered(one_of_each()))

    code, _, err = told.ask("replay", DATE)
    never, _, _ = told.ask("replay", "2026-01-01")

    assert (code, never) == (2, 2)
    assert "not kept" in err


@pytest.mark.parametrize("words", [("replay", DATE), ("verify", "--identity")])
def test_a_key_that_cannot_be_used_is_told_without_a_traceback(told, identity, words):
    asked = (*words, str(identity)) if words[0] == "verify" else words
    told.house.live()
    folder = told.house.home / inputs_folder(DATE)
    (folder / "manifest.json").write_text('{"source": "eqnet", "root": "/", "is_parity": false, "files": []}')
    key = told.house.home / KEY_FILE
    key.chmod(0o644)
    open_to_others = told.ask(*asked)
    key.chmod(0o600)
    key.write_bytes(b"short")
    short = told.ask(*asked)
    key.unlink()
    gone = told.ask(*asked)

    assert (open_to_others[0], short[0]) == (1, 1)
    assert "chmod 600 nightly/key" in open_to_others[2]
    assert "5 bytes" in short[2]
    assert gone[0] == {"replay": 2, "verify": 0}[words[0]]


def test_doctor_names_each_fault(told):
    def verdicts() -> dict[str, str]:
        _, out, _ = told.ask("doctor", "--json")
        return {each["name"]: each["verdict"] for each in json.loads(out)["checks"]}

    before = verdicts()
    told.house.live()
    home = told.house.home
    (home / "nightly" / "key").chmod(0o644)
    (home / "data").mkdir()
    (home / "data" / "oops.txt").write_text("AGE-SECRET-KEY-1ABC")
    (home / NIGHTS / "2999-01-01").mkdir()
    after = verdicts()

    assert {name for name in before if before[name] == "FAIL"} == {"sealing"}
    assert {name for name in after if after[name] == "FAIL"} == {"sealing", "key", "identities", "clock"}


def test_doctor_names_a_recipient_of_which_a_character_was_changed(told, identity):
    recipient = told.house.settings.dream.storage.recipients[0]
    config = told.house.home / "config"
    config.mkdir()
    verdicts = []
    for text in (recipient, recipient[:-1] + ("q" if recipient[-1] != "q" else "p")):
        (config / "runtime.yaml").write_text(f"dream:\n  storage:\n    recipients: [{text}]\n")
        _, out, _ = told.ask("doctor", "--json")
        verdicts += [each["verdict"] for each in json.loads(out)["checks"] if each["name"] == "sealing"]

    assert verdicts == ["PASS", "FAIL"]


@pytest.mark.parametrize(
    "words",
    [
        ("run", "2999-01-01"),
        ("run", "nonsense"),
        ("run", DATE, "--source", "eqnet"),
        ("run", DATE, "--root", "/tmp"),
        ("run", DATE, "--parity"),
        ("verify", "nonsense"),
    ],
)
def test_what_cannot_be_meant_is_refused(told, words):
    code, out, err = told.ask(*words)

    assert (code, out) == (2, "")
    assert "Traceback" not in err


@pytest.mark.parametrize("name", ["run", "verify", "open", "keygen", "doctor", "replay"])
def test_help_has_an_example(told, name):
    code, out, _ = told.ask(name, "--help")

    assert code == 0
    assert f"supervisor nightly {name}" in out
