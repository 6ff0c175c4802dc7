"""The bytes of every message are fixed: a recorded journal stays readable (design, section 3; style, rule 4)."""

from pathlib import Path

import pytest

from bus.codec import decode_body, encode_body, payloads_of
from schemas import CATALOGUE, MESSAGES, Message
from schemas.upgrades import UPGRADES

GOLDEN = Path(__file__).parent / "golden"
KINDS = sorted(CATALOGUE)


@pytest.fixture
def golden_file(request: pytest.FixtureRequest, examples: dict[str, Message]):
    """kind -> path of its golden file; with --update-golden the file is written first."""

    def find(kind: str) -> Path:
        path = GOLDEN / f"{kind}.v{CATALOGUE[kind].version}.msgpack"
        if request.config.getoption("--update-golden"):
            path.write_bytes(encode_body(examples[kind]))
        return path

    return find


@pytest.mark.parametrize("kind", KINDS)
def test_a_message_encodes_to_its_golden_bytes(kind, golden_file, examples):
    golden = golden_file(kind).read_bytes()

    encoded = encode_body(examples[kind])

    assert encoded == golden, f"the bytes of {kind} changed: raise its version and write an upgrade"


@pytest.mark.parametrize("kind", KINDS)
def test_golden_bytes_decode_to_the_message(kind, golden_file, examples):
    golden = golden_file(kind).read_bytes()

    decoded = decode_body(CATALOGUE[kind], golden, payloads_of(examples[kind]), CATALOGUE[kind].version)

    assert decoded == examples[kind]


@pytest.mark.parametrize(("kind", "version"), sorted(UPGRADES))
def test_golden_bytes_of_an_old_version_still_decode(kind, version, examples):
    golden = (GOLDEN / f"{kind}.v{version}.msgpack").read_bytes()

    decoded = decode_body(CATALOGUE[kind], golden, payloads_of(examples[kind]), version)

    assert decoded.kind == kind


@pytest.mark.parametrize("kind", [cls.kind for cls in MESSAGES if cls.payload_fields])
def test_payloads_are_not_in_the_body(kind, examples):
    body = encode_body(examples[kind])

    assert payloads_of(examples[kind])
    for payload in payloads_of(examples[kind]):
        assert bytes(payload) not in body


def test_every_golden_file_belongs_to_a_message():
    kinds = {path.name.split(".")[0] for path in GOLDEN.iterdir()}

    assert kinds == set(KINDS)
