"""`nightly.json` keeps every byte that is not the night's own (seed 004, 3; dossier, R7)."""

import json

import pytest

from actors.nightly_observer.writer import NightlyFileError, value_of, with_values

FOREIGN = (
    b'\xef\xbb\xbf{"schema":"nightly.v1",\r\n  "odd": 1.50e+01, "deep": {"dream": [1, {"}": "{"}]},\n'
    b' "text": "d\\u00e9j\\u00e0 \\"dream\\": {" , "last":null }\r\n'
)


@pytest.mark.parametrize(
    "former",
    [FOREIGN, b"{}", b" {\n} \n", b'{"a":1}', json.dumps({"dream": {"status": "old"}, "z": [1.0]}).encode()],
)
def test_all_other_keys_stay_as_they_are(former):
    written = with_values(former, {"dream": {"status": "skipped"}})

    before, after = json.loads(former.decode("utf-8-sig")), json.loads(written)
    assert after == {**before, "dream": {"status": "skipped"}}


def test_the_text_of_other_values_is_the_same_byte_for_byte():
    written = with_values(FOREIGN, {"dream": {"count": 1}})

    for piece in (b'"odd": 1.50e+01', b'{"dream": [1, {"}": "{"}]}', b'"text": "d\\u00e9j\\u00e0 \\"dream\\": {"'):
        assert piece in written


def test_writing_twice_changes_nothing():
    once = with_values(FOREIGN, {"dream": {"count": 1}, "inputs": []})

    assert with_values(once, {"dream": {"count": 1}, "inputs": []}) == once


@pytest.mark.parametrize("text", [b"", b"[1]", b'{"a":1', b'{"a" 1}', b'{"a":1}x', b"\xff{}", b"{1:2}", b"[" * 5000])
def test_what_is_no_object_is_refused(text):
    with pytest.raises(NightlyFileError, match="it is no"):
        with_values(text, {"dream": {}})


def test_a_value_is_found_where_it_is_on_top():
    assert (value_of(FOREIGN, "odd"), value_of(FOREIGN, "dream")) == (15.0, None)


def test_of_a_key_that_is_there_twice_the_one_that_readers_take_is_replaced():
    text = b'{"dream": 1, "x": 2, "dream": 3}'

    assert with_values(text, {"dream": 4}) == b'{"dream": 1, "x": 2, "dream": 4}'
    assert value_of(text, "dream") == 3
