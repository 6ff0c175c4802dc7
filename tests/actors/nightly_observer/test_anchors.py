"""Anchors: keyed, unlinkable between nights under mask, the same under hash, and never a plain digest of an id."""

import hashlib
import hmac

import pytest

from actors.nightly_observer.anchors import AnchorKeyError, Anchors, commit, derived_key
from schemas.ids import derived_id
from tests.actors.nightly_observer.days import KEY

DREAM = derived_id("dream", 1)


def test_under_hash_a_dream_has_the_same_anchor_every_night() -> None:
    nights = [Anchors(KEY, date, "hash").of("dream", DREAM) for date in ("2030-01-01", "2030-01-02")]

    assert nights[0] == nights[1] == "h:" + hmac.new(KEY, f"dream|{DREAM}".encode(), "sha256").hexdigest()[:24]


def test_under_mask_a_dream_has_another_anchor_every_night_and_one_in_a_night() -> None:
    first, again, other = (
        Anchors(KEY, date, "mask").of("dream", DREAM) for date in ("2030-01-01", "2030-01-01", "2030-01-02")
    )

    assert first == again != other
    assert first.startswith("m:")
    assert first[2:] != Anchors(KEY, "2030-01-01", "hash").of("dream", DREAM)[2:]


def test_the_same_id_in_another_domain_has_another_anchor() -> None:
    anchors = Anchors(KEY, "2030-01-01", "hash")

    assert anchors.of("dream", "7") != anchors.of("bin", "7")


@pytest.mark.parametrize("algorithm", ["md5", "sha1", "sha256"])
def test_no_anchor_holds_a_plain_digest_of_an_id(algorithm: str) -> None:
    plain = hashlib.new(algorithm, DREAM.encode()).hexdigest()

    for privacy in ("hash", "mask"):
        anchor = Anchors(KEY, "2030-01-01", privacy).of("dream", DREAM)  # type: ignore[arg-type]
        assert plain[:8] not in anchor
        assert DREAM[:8] not in anchor


@pytest.mark.parametrize("size", [0, 31, 33])
def test_a_key_of_another_size_is_refused(size: int) -> None:
    with pytest.raises(AnchorKeyError, match=f"{size} bytes, 32 are required"):
        Anchors(bytes(size), "2030-01-01", "hash")


def test_a_derived_key_is_that_of_rfc_5869() -> None:
    extracted = hmac.new(bytes(32), KEY, "sha256").digest()

    assert derived_key(KEY, "x") == hmac.new(extracted, b"x\x01", "sha256").digest()


def test_a_commitment_depends_on_key_and_content() -> None:
    assert commit(KEY, b"scene") == commit(KEY, b"scene")
    assert len({commit(KEY, b"scene"), commit(KEY, b"scenf"), commit(bytes(32), b"scene")}) == 3
