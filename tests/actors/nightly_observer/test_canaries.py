"""Nothing that a night leaves behind or says names anybody or anything (dossier, R4, R5, R12; must be shown 2)."""

import json
import os
import signal
import sys
from pathlib import Path

import pytest

from actors.nightly_observer.anchors import commit
from actors.nightly_observer.keeping import Nights, Ref
from actors.nightly_observer.sealing import new_identity, opened
from actors.nightly_observer.starting import Start, start_night
from actors.nightly_observer.verifying import read_block, verify
from schemas.night_places import NIGHTS, night_folder
from schemas.night_report import NightReport
from supervisor.home import Home
from supervisor.nightly.differing import diff, draw_diff
from supervisor.nightly.explaining import draw_explained, explain
from supervisor.nightly.night_text import draw_report
from supervisor.nightly.page import draw_page, draw_short
from supervisor.nightly.reading import read_night
from tests.actors.nightly_observer.lived_home import CANARIES, DATE, a_home, heads_of, lived, order_of, raw_ids
from tests.actors.nightly_observer.written_home import dream_id
from tests.night_examples import changed

ROOT = Path(__file__).parents[3]


def said(home, result) -> str:
    """All that is printed of a night, sent of it and left in its folder."""
    report = NightReport.model_validate(result["report"], strict=False)
    night = read_night(Home(home.root), DATE)
    checked = verify(Nights(home.root / NIGHTS), [DATE])
    texts = [
        json.dumps(result["report"]),
        draw_page(night, checked),
        *draw_report(report),
        *draw_short(night, checked, ""),
    ]
    texts += draw_explained(explain("1", night)) + draw_diff(diff(night, night))
    files = [path.read_text() for path in (home.root / night_folder(DATE)).iterdir()]
    return "\n".join([*texts, *files])


@pytest.mark.parametrize("id_privacy", ["mask", "hash"])
def test_no_canary_and_no_digest_of_an_id_is_in_anything_that_a_night_says(tmp_path, id_privacy):
    home = a_home(tmp_path / "home")
    result = lived(home, changed(storage__encrypt=False, privacy__id_privacy=id_privacy))

    text = said(home, result)

    ids, heads = raw_ids(home), heads_of(raw_ids(home))
    assert (len(CANARIES), len(ids) > 50, len(heads) > 300) == (20, True, True)
    assert result["report"]["block"]["seeds_summary"]["duplicate"] == 1
    assert "prompt" in text
    assert [each for each in CANARIES if each in text or each.removeprefix("canary-") in text] == []
    assert [each for each in ids if each in text] == []
    assert [head for head in heads if head in text] == []


def test_a_name_that_a_night_did_tell_would_be_found(tmp_path):
    home = a_home(tmp_path / "home")
    result = lived(home, changed(storage__encrypt=False))
    (home.root / night_folder(DATE) / "leak").write_text(f"{CANARIES[3]} {heads_of(raw_ids(home)).pop()}")

    text = said(home, result)

    assert any(each in text for each in CANARIES)
    assert any(head in text for head in heads_of(raw_ids(home)))


def test_of_another_systems_files_only_an_unknown_one_is_named_and_no_id_of_it(tmp_path):
    home, root = a_home(tmp_path / "home"), tmp_path / "eqnet"
    for number, canary in enumerate(CANARIES[:6]):
        (root / canary).mkdir(parents=True)
        (root / canary / f"unknown-{dream_id(number)}.jsonl").write_text(f'{{"x": "{CANARIES[number + 6]}"}}\n{{\n')
    (root / f"{CANARIES[18]}.jsonl").write_text("{\n")
    (root / f"{CANARIES[19]}.json").write_text('{"schema": "nightly.v1"')
    settings = changed(storage__encrypt=False, generate_when__allow_if_all_zero=True)

    report = lived(home, settings, source="eqnet", root=str(root))["report"]

    text = json.dumps(report) + (home.root / night_folder(DATE) / "nightly.json").read_text()
    assert "unknown-*.jsonl" in text
    assert [each for each in (*CANARIES, str(root), *map(dream_id, range(6))) if each in text] == []


SURROUNDINGS = (
    {"PYTHONHASHSEED": "4711", "TZ": "Pacific/Chatham", "LC_ALL": "tr_TR.UTF-8", "OPENBLAS_NUM_THREADS": "2"},
    {"PYTHONHASHSEED": "77", "TZ": "America/St_Johns", "LANG": "ja_JP.UTF-8", "PYTHONUTF8": "0", "HOME": "/"},
)


def test_the_surroundings_of_a_night_decide_nothing(tmp_path):
    home, settings = a_home(tmp_path / "home"), changed(storage__encrypt=False)
    wanted = lived(home, settings)["report"]["block"]
    order = order_of(home, settings, mode="replay")
    told = []
    for number, around in enumerate(SURROUNDINGS):
        environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), **around}
        ended = start_night(order, bytes(range(32)), Start(environment, 60.0))
        assert ended.problem is None, number
        told.append(ended.result["replay"])

    assert len(wanted["content_commits"]) == 1
    assert [each["content_commits"] for each in told] == [list(wanted["content_commits"])] * 2
    assert [each["inputs_sha256"] for each in told] == [wanted["inputs_sha256"]] * 2


def killed_at(moment: int, home, settings) -> bool:
    """Live a night in a process that is killed at its `moment`-th deed on the disk; whether it was."""
    child = os.fork()
    if child == 0:
        left = [moment]
        folder = str(home.root / NIGHTS)

        def count(event: str, arguments: tuple) -> None:
            if event in ("open", "os.rename", "os.remove") and str(arguments[0]).startswith(folder):
                left[0] -= 1
                if left[0] == 0:
                    os.kill(os.getpid(), signal.SIGKILL)

        sys.addaudithook(count)
        try:
            lived(home, settings)
        finally:
            os._exit(0)
    _, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status)


def test_a_night_that_is_killed_leaves_no_plaintext_and_no_reference_without_its_dream(tmp_path):
    secret, recipient = new_identity()
    settings = changed(storage__recipients=[recipient], renderer__style="poetic")
    home = a_home(tmp_path / "home")
    nights, moments = Nights(home.root / NIGHTS), 0

    for moment in range(1, 200):
        was_killed = killed_at(moment, home, settings)
        moments += was_killed
        files = [path.read_bytes() for path in (home.root / NIGHTS).rglob("*") if path.is_file()]
        assert [text for text in files if b'"prompt"' in text or b"<svg" in text] == [], moment
        block = read_block(nights, DATE)
        refs = () if block is None else block.artifact_refs
        assert [text for text in refs if not nights.is_whole(Ref.parse(text))] == [], moment
        if not was_killed:
            break
        if moment % 2:  # a night that is begun anew, and one that finds what the killed one left
            for path in (home.root / night_folder(DATE)).iterdir():
                path.unlink()

    assert moments >= 6
    assert [each.kind for each in verify(nights, [DATE])] == ["ok"]
    plain = [opened(nights.read(Ref.parse(text)), secret) for text in refs]
    assert [commit(bytes(range(32)), each) for each in plain] == list(block.content_commits)
