"""What a night leaves behind, and what it does not (seed 004, 5 to 7; dossier, R4, R7, R20 to R23, R27, R28, R32)."""

import json
import os
import re
import shutil
import subprocess

import pytest

from actors.nightly_observer.day import InputFile, InputManifest
from actors.nightly_observer.keeping import Ref
from actors.nightly_observer.sealing import SealError, opened
from actors.nightly_observer.verifying import verify
from schemas.dream_artifact import MAX_BLOCK_BYTES, DreamArtifact, DreamBlock
from schemas.night_places import NIGHTS
from tests.actors.nightly_observer.dream_seeds import one_of_each, seed
from tests.actors.nightly_observer.night_house import NightHouse, gathered
from tests.night_examples import DATE, changed

NEXT = "2026-11-21"


@pytest.fixture
def house(tmp_path):
    return NightHouse(tmp_path)


def nightly(house: NightHouse, date: str = DATE) -> dict:
    return json.loads(house.files(date)["nightly.json"])


def test_nightly_json_has_the_block_of_the_seed_and_nothing_of_a_dream(house):
    report = house.live()

    told = nightly(house)
    block = told["dream"]
    assert {"schema", "config_snapshot", "stats", "plots"} <= set(told)
    assert block["status"] == "generated"
    assert block["mode"] == "observe"
    assert block["privacy"] == {"id_privacy": "mask", "content": "plain"}
    assert block["count"] == len(block["artifact_refs"]) == len(block["content_commits"]) == 2
    assert block["seeds_summary"] == dict.fromkeys(
        ("duplicate", "conflict", "bridge", "budget_pressure", "guard_overuse"), 1
    )
    assert report.block == DreamBlock.model_validate_json(json.dumps(block))
    dreams = [DreamArtifact.model_validate_json(text) for name, text in house.files().items() if name[0] == "0"]
    assert len(dreams) == 2
    text = house.files()["nightly.json"].decode()
    assert not any(dream.prompt[:20] in text or "<svg" in text for dream in dreams)
    assert {path.stat().st_mode & 0o077 for path in (house.home / NIGHTS / DATE).iterdir()} == {0}


def test_a_sealed_dream_is_an_age_file_that_age_itself_opens(house, tmp_path):
    secret = house.sealed()
    house.live()
    stored = [(name, text) for name, text in house.files().items() if name.endswith(".age")]

    assert len(stored) == 2
    assert all(text.startswith(b"age-encryption.org/v1\n") and b"prompt" not in text for _, text in stored)
    if shutil.which("age") is None:
        pytest.skip("age is not installed")
    (tmp_path / "identity").write_text(secret)
    command = ["age", "--decrypt", "-i", tmp_path / "identity", house.home / NIGHTS / DATE / stored[0][0]]
    opened = subprocess.run(command, capture_output=True, check=True).stdout
    assert DreamArtifact.model_validate_json(opened).dream_id == f"{DATE}_0001"


def test_without_a_recipient_nothing_is_kept_and_nothing_lies_open(house):
    house.settings = changed()

    report = house.live()

    assert (report.block.status, report.block.skip_reason) == ("skipped", "no_recipient")
    assert list(house.files()) == ["nightly.json"]


def test_a_recipient_with_a_changed_character_seals_nothing_and_opens_nothing(house):
    house.sealed()
    recipient = house.settings.dream.storage.recipients[0]
    other = "q" if recipient[-1] != "q" else "p"
    house.settings = changed(storage__recipients=[recipient[:-1] + other])

    report = house.live()

    assert (report.block.status, report.block.skip_reason) == ("skipped", "no_recipient")
    assert list(house.files()) == ["nightly.json"]


@pytest.mark.parametrize("is_sealed", [False, True])
def test_the_same_night_again_leaves_every_byte_as_it_was(house, is_sealed):
    if is_sealed:
        house.sealed()
    first = house.live()
    before = house.files()

    again = house.live()

    assert house.files() == before
    assert (first.is_unchanged, again.is_unchanged) == (False, True)
    assert again.block == first.block


def test_a_dream_that_was_damaged_is_made_again_by_the_same_night(house):
    house.sealed()
    before = house.live().block
    stored = next((house.home / NIGHTS / DATE).glob("0002-*"))
    stored.write_bytes(stored.read_bytes()[:-1] + b"x")

    after = house.live().block

    assert after.content_commits == before.content_commits
    assert after.artifact_refs != before.artifact_refs
    assert [each.kind for each in verify(house.nights, [DATE])] == ["ok"]


def test_another_recipient_has_the_same_dreams_sealed_anew(house):
    former = house.sealed()
    before = house.live().block
    secret = house.sealed()

    after = house.live().block

    (ref, *_) = map(Ref.parse, after.artifact_refs)
    assert after.content_commits == before.content_commits
    assert b"diagnostic_only" in opened(house.nights.read(ref), secret)
    with pytest.raises(SealError):
        opened(house.nights.read(ref), former)


def test_twelve_seeds_are_three_dreams_however_often_the_night_is_lived(house):
    seen = gathered(tuple(seed("bridge", key=str(at)) for at in range(12)))

    commits = [house.live(seen=seen).block.content_commits for _ in range(2)]

    assert commits[0] == commits[1]
    assert [name[:4] for name in house.files() if name[0] == "0"] == ["0001", "0002", "0003"]


def test_a_changed_byte_of_an_input_changes_what_is_committed_to(house):
    before = house.live().block
    other = gathered(one_of_each(), manifest=InputManifest((InputFile("logs/x", 10, "cd" * 32, 10),)))

    replayed = house.replay(other)

    assert set(replayed["content_commits"]).isdisjoint(before.content_commits)
    assert house.live().is_unchanged


def test_other_settings_take_the_place_of_the_former_dreams(house):
    house.live()
    former = set(house.files())
    house.settings = changed(storage__encrypt=False, renderer__style="poetic", max_per_night=1)

    report = house.live()

    assert report.block.count == 1
    assert [name for name in house.files() if name[0] == "0"] == [
        name for name in house.files() if name[0] == "0" and name not in former
    ]


def test_a_file_that_somebody_else_made_gets_the_block_alone(house):
    house.live("2026-11-19", gathered(is_all_zero=True))
    foreign = b'{"schema": "nightly.v1", "stats": {"S": 1.0e0}, "extra": [1,2]}\n'
    (house.home / NIGHTS / DATE).mkdir()
    (house.home / NIGHTS / DATE / "nightly.json").write_bytes(foreign)

    house.live()

    told = nightly(house)
    assert set(told) == {"schema", "stats", "extra", "dream"}
    assert b'{"S": 1.0e0}' in house.files()["nightly.json"]


def test_a_night_names_the_one_before(house):
    first = house.live().sha256
    second = house.live(NEXT)

    assert second.block.prev_nightly_sha256 == first


def test_dreams_are_gone_after_thirty_nights_and_not_before(house):
    house.live()
    stranger = house.home / "artifacts" / "0001-0123456789ab.age"
    stranger.write_bytes(b"not ours")
    names = [name for name in house.files() if name[0] == "0"]
    for name in names:  # neither a touch nor a copy makes them younger
        os.utime(house.home / NIGHTS / DATE / name)

    house.live("2026-12-19")
    there = set(house.files()) >= set(names)
    report = house.live("2026-12-20")

    assert there
    assert set(house.files()) == {"nightly.json", "expired.json"}
    assert stranger.exists()
    assert any("2 dreams" in note for note in report.notes)


def test_a_removal_that_was_interrupted_is_still_known_when_it_is_ended(house):
    house.live()
    names = [name for name in house.files() if name[0] == "0"]
    house.nights.expire(DATE, "2026-12-20")
    (house.home / NIGHTS / DATE / names[1]).write_bytes(b"not removed yet")

    house.nights.expire(DATE, "2026-12-21")

    assert house.nights.expired(DATE) == set(names)
    assert not any(name[0] == "0" for name in house.files())


def test_a_link_is_no_night_whose_dreams_are_removed(house, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("elsewhere") / "2026-01-01"
    elsewhere.mkdir()
    (elsewhere / "0001-0123456789ab.age").write_bytes(b"mine")
    house.live()
    (house.home / NIGHTS / "2026-01-01").symlink_to(elsewhere)

    house.live(NEXT)

    assert (elsewhere / "0001-0123456789ab.age").exists()


def test_dreams_do_not_depend_on_the_dreams_of_the_night_before(house, tmp_path_factory):
    house.live()
    with_them = house.live(NEXT).block.content_commits
    other = NightHouse(tmp_path_factory.mktemp("other"))
    (other.home / "nightly").mkdir()
    (other.home / "nightly" / "key").write_bytes((house.home / "nightly" / "key").read_bytes())
    (other.home / "nightly" / "key").chmod(0o600)

    assert other.live(NEXT).block.content_commits == with_them


def test_an_input_that_cannot_be_read_still_leaves_a_file_that_says_so(house):
    report = house.live(seen=gathered(is_readable=False))

    assert (report.block.status, report.block.skip_reason) == ("skipped", "input_error")
    assert nightly(house)["dream"]["inputs_sha256"] is None


def test_a_night_that_can_read_nothing_now_takes_no_dream_away(house):
    house.sealed()
    house.live()
    before = house.files()

    report = house.live(seen=gathered(is_readable=False))

    assert house.files() == before
    assert (report.standing, report.block) == ("failed", None)
    assert "stay as they are" in report.problem


def test_where_nothing_was_dreamt_a_night_that_can_read_nothing_takes_its_place(house):
    house.live(seen=gathered(is_all_zero=True))

    report = house.live(seen=gathered(is_readable=False))

    assert report.block.skip_reason == nightly(house)["dream"]["skip_reason"] == "input_error"


def test_a_block_stays_small_however_many_seeds_there_are(house):
    seen = gathered(tuple(seed("bridge", key=str(at), anchors=8) for at in range(500)))

    block = house.live(seen=seen).block

    assert block.seeds_summary.total == 500
    assert 0 < len(block.seeds) < 500
    assert len(block.canonical()) <= MAX_BLOCK_BYTES


def test_what_is_written_has_no_hash_but_the_forms_that_are_allowed(house):
    house.live()

    block = json.dumps(nightly(house)["dream"]["seeds"])

    assert re.findall(r"[0-9a-f]{16,}", re.sub(r"[hm]:[0-9a-f]{24}", "", block)) == []
