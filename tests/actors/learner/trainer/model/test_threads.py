"""One thread for every product of matrices."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from actors.learner.trainer.model import threads
from actors.learner.trainer.model.threads import (
    PINS,
    ThreadsError,
    arithmetic_like,
    environment_of,
    kernels_of_blas,
    loaded_libraries,
    pin_threads,
    settings_of_torch,
    without_settings,
)

ROOT = Path(__file__).parents[5]
HASHED = """
import hashlib, sys
import numpy as np
from actors.learner.trainer.model.threads import pin_threads
pin_threads()
rng = np.random.default_rng(1)
product = rng.random((300, 700), dtype=np.float32) @ rng.random((700, 400), dtype=np.float32)
print(hashlib.sha256(product.tobytes()).hexdigest())
"""


def test_libraries_are_found_and_held_to_one_thread() -> None:
    pinned = pin_threads()

    assert loaded_libraries()
    assert set(pinned.values()) == {1}


def test_one_two_and_four_threads_in_the_environment_give_the_same_bits() -> None:
    found = set()
    for count in ("1", "2", "4"):
        environment = {**os.environ, **dict.fromkeys(PINS, count)}
        done = subprocess.run(
            [sys.executable, "-c", HASHED],
            env=environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            cwd=ROOT,
        )
        assert done.returncode == 0, done.stderr
        found.add(done.stdout)

    assert len(found) == 1


def test_another_process_repeats_the_bits_of_this_one_when_it_is_started_with_its_environment() -> None:
    told = {**kernels_of_blas(), "more": "unknown"}
    plain = {name: value for name, value in os.environ.items() if not name.startswith("OPENBLAS_")}
    found = []
    for environment in (dict(os.environ), {**plain, **environment_of(told)}):
        done = subprocess.run(
            [sys.executable, "-c", HASHED],
            env=environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            cwd=ROOT,
        )
        assert done.returncode == 0, done.stderr
        found.append(done.stdout)

    assert told["blas_core"] != "unknown"
    assert found[0] == found[1]


def test_settings_of_the_library_are_told_and_given_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENBLAS_L2_SIZE", "1024")

    told = kernels_of_blas()

    assert "OPENBLAS_L2_SIZE=1024" in told["blas_settings"].split()
    assert environment_of(told)["OPENBLAS_L2_SIZE"] == "1024"
    assert environment_of({"blas_core": "Zen", "blas_settings": "PATH=/evil"}) == {
        **dict.fromkeys(PINS, "1"),
        "OPENBLAS_CORETYPE": "Zen",
    }


def test_settings_of_torch_are_told_and_given_on_where_a_run_is_of_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MKL_CBWR", "COMPATIBLE")
    monkeypatch.setenv("MKL_NUM_THREADS", "3")

    told = settings_of_torch()
    here = arithmetic_like({"torch_settings": ""})

    assert told["torch_settings"].split().count("MKL_CBWR=COMPATIBLE") == 1
    assert "MKL_NUM_THREADS" not in told["torch_settings"]
    assert here == {**kernels_of_blas(), **told}
    assert arithmetic_like({"blas_core": "Zen"}) == kernels_of_blas()
    assert environment_of(told)["MKL_CBWR"] == "COMPATIBLE"
    assert "MKL_CBWR" not in without_settings(os.environ)
    assert without_settings(os.environ)["PATH"] == os.environ["PATH"]


def test_without_a_library_to_ask_only_a_pinned_environment_will_do(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    monkeypatch.setattr(threads, "MAPS", tmp_path_factory.mktemp("none") / "maps")
    for name in PINS:
        monkeypatch.delenv(name, raising=False)

    with pytest.raises(ThreadsError, match="OPENBLAS_NUM_THREADS=1"):
        pin_threads()
    monkeypatch.setenv(PINS[0], "1")

    assert pin_threads() == {}
