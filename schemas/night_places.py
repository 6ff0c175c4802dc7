"""Where the nights of a home lie, relative to it.

`artifacts/nightly/DATE/` holds what a night leaves behind, sealed dreams and `nightly.json`; `nightly/inputs/DATE/`,
which nobody but the user may open, holds what it looked at, for as long as its dreams are kept.
"""

import re
from typing import Final

NIGHTS: Final = "artifacts/nightly"
INPUTS: Final = "nightly/inputs"
KEY_FILE: Final = "nightly/key"
"""32 random bytes: what anchors and commitments are made with."""
NIGHTLY_FILE: Final = "nightly.json"
EXPIRED_FILE: Final = "expired.json"
SNAPSHOT_FILE: Final = "snapshot.sqlite"
SNAPSHOT_NOTE: Final = "snapshot.json"
MANIFEST_FILE: Final = "manifest.json"
DATE_NAME: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


def night_folder(date: str) -> str:
    """What the night of `date` leaves behind."""
    return f"{NIGHTS}/{date}"


def inputs_folder(date: str) -> str:
    """What the night of `date` looked at."""
    return f"{INPUTS}/{date}"
