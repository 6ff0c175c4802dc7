"""`up` where a run cannot have the descriptors that it needs."""

import resource
import subprocess
import sys

import pytest

from supervisor.checks import LEAST_OPEN_FILES

pytestmark = pytest.mark.system


@pytest.mark.parametrize("options", [("--for", "1"), ("--detach",)])
@pytest.mark.parametrize("limit", [20, LEAST_OPEN_FILES - 1])
def test_too_few_open_files_are_refused_in_words(tmp_path, limit: int, options: tuple[str, ...]) -> None:
    command = [sys.executable, "-P", "-m", "supervisor.cli", "up", "--home", str(tmp_path), *options]

    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit)),
    )

    assert done.returncode == 2
    assert f"at most {limit} open files" in done.stderr
    assert "Traceback" not in done.stderr
