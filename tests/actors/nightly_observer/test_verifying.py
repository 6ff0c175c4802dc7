"""What `verify` finds without a key, and with one (seed 004, 5; dossier, R23, R28, R34)."""

import json

import pytest

from actors.nightly_observer.anchors import commit
from actors.nightly_observer.keeping import Ref
from actors.nightly_observer.sealing import SealError, opened
from actors.nightly_observer.verifying import EXIT_CODES, Opening, verdict_of, verify
from actors.nightly_observer.world import key_of
from schemas.dream_artifact import DreamArtifact
from schemas.night_places import NIGHTS
from tests.actors.nightly_observer.night_house import NightHouse
from tests.night_examples import DATE, changed

NEXT, THIRD = "2026-11-21", "2026-11-22"


@pytest.fixture
def house(tmp_path):
    return NightHouse(tmp_path)


def verdict(house: NightHouse, opening: Opening | None = None) -> str:
    return verdict_of(verify(house.nights, house.nights.dates(), opening))


def dream_file(house: NightHouse, date: str = DATE):
    return sorted((house.home / NIGHTS / date).glob("0001-*"))[0]


def test_what_was_left_alone_is_whole(house):
    for date in (DATE, NEXT, THIRD):
        house.live(date)

    assert [each.kind for each in verify(house.nights, house.nights.dates())] == ["ok"] * 3


def test_a_flipped_byte_is_found_and_names_the_reference(house):
    block = house.live().block
    path = dream_file(house)
    text = bytearray(path.read_bytes())
    text[40] ^= 1
    path.write_bytes(text)

    (found,) = verify(house.nights, [DATE])

    assert (found.kind, found.ref, EXIT_CODES[found.kind]) == ("corrupt", block.artifact_refs[0], 1)


def test_a_dream_that_is_gone_is_missing(house):
    house.live()
    dream_file(house).unlink()

    assert (verdict(house), EXIT_CODES[verdict(house)]) == ("missing", 2)


def test_a_dream_that_nobody_names_is_an_orphan(house):
    house.live()
    (house.home / NIGHTS / DATE / "0009-0123456789ab.age").write_bytes(b"x")

    (found,) = verify(house.nights, [DATE])

    assert (found.kind, "orphan" in found.what) == ("corrupt", True)


def test_a_dream_whose_time_was_over_is_neither_missing_nor_corrupt(house):
    house.live()
    house.live("2026-12-20")

    found = verify(house.nights, house.nights.dates())

    assert [(each.date, each.kind) for each in found] == [(DATE, "expired"), (DATE, "expired"), ("2026-12-20", "ok")]
    assert EXIT_CODES[verdict_of(found)] == 3


def test_a_night_before_that_was_altered_breaks_the_chain(house):
    house.live()
    house.live(NEXT)
    path = house.home / NIGHTS / DATE / "nightly.json"
    path.write_bytes(path.read_bytes().replace(b'"dreams": 2', b'"dreams": 3'))

    found = verify(house.nights, house.nights.dates())

    assert [(each.date, each.kind) for each in found if each.kind != "ok"] == [(NEXT, "corrupt")]


def test_a_night_that_was_lived_again_with_other_settings_breaks_nothing(house):
    house.live()
    house.live(NEXT)
    house.settings = changed(storage__encrypt=False, renderer__style="clinical")
    house.live()

    assert verdict(house) == "ok"


def test_a_night_without_its_file_is_missing(house):
    house.live()
    (house.home / NIGHTS / DATE / "nightly.json").unlink()

    assert verdict(house) == "missing"


@pytest.mark.parametrize("text", [b"{", b'{"dream": {"status": "generated"}}', b"[]"])
def test_a_file_that_is_no_nightly_is_corrupt(house, text):
    house.live()
    (house.home / NIGHTS / DATE / "nightly.json").write_bytes(text)

    assert verdict(house) == "corrupt"


def test_with_an_identity_the_dreams_are_held_against_what_was_committed_to(house):
    secret = house.sealed()
    house.live()
    opening = Opening(lambda stored: opened(stored, secret), key_of(house.home))

    whole = verdict(house, opening)
    path = house.home / NIGHTS / DATE / "nightly.json"
    told = json.loads(path.read_bytes())
    told["dream"]["content_commits"][0] = "0" * 64
    path.write_text(json.dumps(told))

    assert (whole, verdict(house, opening), verdict(house)) == ("ok", "corrupt", "ok")


def test_with_a_look_inside_a_dream_that_judges_is_found(house):
    ref = Ref.parse(house.live().block.artifact_refs[0])
    artifact = DreamArtifact.model_validate_json(house.nights.read(ref))
    plain = artifact.model_copy(
        update={"prompt": "A drained pool. In the end this proves that it was wrong."}
    ).canonical()
    house.nights.keep_only(DATE, [])
    judging = house.nights.store(DATE, 1, plain, ".json")
    path = house.home / NIGHTS / DATE / "nightly.json"
    told = json.loads(path.read_bytes())
    key = key_of(house.home)
    told["dream"].update(count=1, artifact_refs=[str(judging)], content_commits=[commit(key, plain)])
    path.write_text(json.dumps(told))

    (found,) = verify(house.nights, [DATE], Opening(lambda stored: stored, key))

    assert (found.kind, "no dream may say" in found.what) == ("corrupt", True)


def test_another_identity_opens_nothing(house, tmp_path_factory):
    house.sealed()
    house.live()
    stranger = NightHouse(tmp_path_factory.mktemp("stranger")).sealed()
    ref = Ref.parse(house.live().block.artifact_refs[0])

    with pytest.raises(SealError, match="cannot be opened"):
        opened(house.nights.read(ref), stranger)


def test_an_altered_dream_is_refused_by_its_seal(house):
    secret = house.sealed()
    ref = Ref.parse(house.live().block.artifact_refs[0])
    stored = bytearray(house.nights.read(ref))
    stored[-1] ^= 1

    with pytest.raises(SealError, match="altered"):
        opened(bytes(stored), secret)
