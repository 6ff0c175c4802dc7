"""A written home whose day is looked at for real: canaries in every text that a night comes across, and seeds."""

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np

from actors.nightly_observer.living import live
from actors.nightly_observer.ordering import NightOrder, Result
from actors.nightly_observer.sealing import seal_of
from actors.nightly_observer.world import key_of, make_folders
from schemas.ids import derived_id
from schemas.night import night_at
from schemas.night_places import KEY_FILE, SNAPSHOT_FILE, inputs_folder
from schemas.night_settings import RuntimeSettings
from tests.actors.nightly_observer.days import FROM_NS
from tests.actors.nightly_observer.written_home import NOON_NS, RUN, WrittenHome, dream_id

DATE = night_at(FROM_NS)
BIRDS = (
    *("auk", "bittern", "curlew", "dunlin", "egret", "fulmar", "godwit", "hoopoe", "ibis", "jackdaw"),
    *("kestrel", "linnet", "merganser", "nuthatch", "oriole", "petrel", "quail", "redstart", "siskin", "turnstone"),
)
CANARIES = tuple(f"canary-{bird}" for bird in BIRDS)
IN_DREAMS = ("source", "image_id", "profile_id", "lineage_root", "origin_sender")


def a_home(root: Path) -> WrittenHome:
    """Dreams of which some are alike, feedback, answers, refusals and guests, with a canary in every text."""
    root.mkdir(mode=0o700, exist_ok=True)
    home = WrittenHome(root)
    names = iter(CANARIES)
    texts = {name: next(names) for name in IN_DREAMS}
    metadata = json.dumps({"seed": {"episode": next(names)}, "prompt": next(names)})
    factoids, parents = json.dumps([next(names)]), json.dumps([dream_id(1), next(names)])
    for number in range(1, 13):
        home.dream(number, tensor=_flat(1 if number > 9 else number), **texts, factoid_ids=factoids, parents=parents)
    home.dream(13, metadata_json=metadata)
    for number in range(1, 13):
        home.feedback(
            number, 0.5 if number % 2 else -0.5, learner=texts["source"], notes=next(names) if number < 3 else ""
        )
    query, learner = next(names), next(names)
    for _ in range(4):
        home.log("retrieval", event="answered", ts_ns=NOON_NS, learner=learner, query_id=query, entry_ids=[dream_id(1)])
    home.log("retrieval", event="answered", ts_ns=NOON_NS, learner=learner, entry_ids=[next(names), dream_id(2)])
    home.raw("persist", json.dumps({"ts_ns": NOON_NS, "event": next(names)}).encode() + b"\n")
    home.raw("feedback", f'{{"ts_ns": {NOON_NS}, {next(names)}\n'.encode())
    home.refusal("handshake", f"the key is another's: {next(names)}")
    guest = next(names)
    (root / "logs" / "refusals" / f"{guest}.jsonl").write_text(f'{{"ts_ns": {NOON_NS}, "kind": "{next(names)}"}}\n')
    (root / "journal" / RUN / guest).mkdir(parents=True)
    (root / "runs" / next(names)).mkdir(parents=True)
    assert next(names, None) is None
    home.manifest(max_dreams=14)
    make_folders(root, DATE)
    home.copy()
    shutil.copyfile(home.snapshot, root / inputs_folder(DATE) / SNAPSHOT_FILE)
    (root / KEY_FILE).write_bytes(bytes(range(32)))
    (root / KEY_FILE).chmod(0o600)
    return home


def _flat(number: int) -> Any:
    return np.full((4, 4, 1, 3), 0.25 + number / 1000, dtype=np.float32)


def raw_ids(home: WrittenHome) -> list[str]:
    """Every id that a night comes across."""
    with home.pool() as pool:
        tensors = [row[0].hex() for row in pool.execute("SELECT tensor_sha256 FROM dreams")]
    queries = [derived_id("query", number) for number in range(1, 13)]
    return [*(dream_id(number) for number in range(1, 14)), *tensors, *queries, RUN, *CANARIES]


def heads_of(ids: list[str]) -> set[str]:
    """The first 8 hexadecimal digits of every plain digest of every id, and of the ids themselves."""
    told = {each.replace("-", "")[:8] for each in ids if each not in (RUN, *CANARIES)}
    plain = [text for each in ids for text in (each.encode(), each.replace("-", "").encode(), _binary(each))]
    return told | {hashlib.new(name, text).hexdigest()[:8] for text in plain for name in ("md5", "sha1", "sha256")}


def _binary(text: str) -> bytes:
    try:
        return bytes.fromhex(text.replace("-", ""))
    except ValueError:
        return text.encode()


def order_of(home: WrittenHome, settings: RuntimeSettings, **changes: Any) -> NightOrder:
    """The order of a night of the written day."""
    told = {
        "night_id": f"{DATE}.1",
        "date": DATE,
        "source": "own",
        "root": "",
        "is_seeds_only": False,
        "is_parity": False,
        "settings_json": settings.model_dump_json(),
        "home": str(home.root),
        "rung": "none",
        "snapshot_sha256": "ab" * 32,
    }
    return NightOrder(**{**told, **changes})


def lived(home: WrittenHome, settings: RuntimeSettings, **changes: Any) -> Result:
    """A night of the written day, in this process."""
    seal = seal_of(settings.dream.storage)
    return live(order_of(home, settings, **changes), key_of(home.root), seal, "none")
