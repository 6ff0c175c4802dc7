"""Reads `runtime.yaml`: the packaged file and the user's own in, typed settings or every problem with its line out.

What the user's file does not name is as packaged. Refused as in `schemas.regime_files`.
"""

from typing import Final

from schemas.night_settings import RuntimeSettings
from schemas.regime_files import load_layers

RUNTIME_FILE: Final = "runtime.yaml"


def load_runtime(packaged: bytes, own: bytes | None = None) -> RuntimeSettings:
    """The settings in `packaged`, changed by `own`; raises SettingsError holding every problem there is."""
    return load_layers(RuntimeSettings, RUNTIME_FILE, (packaged,) if own is None else (packaged, own))
