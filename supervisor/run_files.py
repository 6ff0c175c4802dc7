"""The settings files that a run keeps beside its manifest, so that whoever is told of them needs no other folder.

In: where a command takes its settings from. Out: the bytes that hold for a run: those of `--config DIR`, else of
HOME/config, else the packaged ones; and copies in the run's folder. What is in them is judged by whoever reads them.
"""

from pathlib import Path
from typing import Final

from bus.files import write_atomically
from supervisor.configuration import Sources, default_file
from supervisor.runs import RunFolder

FROZEN: Final = ("regimes.yaml", "caps.yaml", "runtime.yaml")


def settings_file(sources: Sources, name: str) -> Path:
    """The file `name` that holds for `sources`."""
    chosen = (sources.config or sources.home.config) / name
    return chosen if chosen.exists() else default_file().with_name(name)


def freeze_settings(run: RunFolder, sources: Sources) -> None:
    """Keep the settings files of `sources` in the folder of `run`. Raises OSError."""
    for name in FROZEN:
        write_atomically(run.path / name, settings_file(sources, name).read_bytes())
