"""Paths that are no text, too long or somebody else's: refused by name, with what to do, by every command."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from contextlib import redirect_stderr
from io import StringIO
from pathlib import Path

import pytest

from supervisor.cli import run_cli
from supervisor.home import LONGEST_HOME, Home
from supervisor.inputs import SAMPLE
from supervisor.lock import Holder, hold_home
from supervisor.log_lines import printable

STRANGE = os.fsdecode(b"caf\xe9")
SHOWN = r"caf\xe9"
NOBODY = 65534


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    folder = tmp_path / STRANGE
    shutil.copytree(SAMPLE / "pictures", folder)
    return folder


def as_a_stranger(call: Callable[[], int]) -> tuple[int, str]:
    """What `call` returns and says on standard error, in a process that may not open what root has closed."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        if os.getuid() == 0:
            os.setgroups([])
            os.setgid(NOBODY)
            os.setuid(NOBODY)
        said = StringIO()
        with redirect_stderr(said):
            code = call()
        os.write(writer, said.getvalue().encode())
        os._exit(code)
    os.close(writer)
    with os.fdopen(reader, "rb") as stream:
        text = stream.read().decode()
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), text


def test_bytes_that_are_no_utf8_are_shown_as_bytes() -> None:
    assert printable(STRANGE) == SHOWN
    assert printable("\x1b\u200b\U000e0001") == r"\x1b\u200b\U000e0001"


@pytest.mark.parametrize(
    "words",
    [["up", "--for", "1"], ["up", "-d"], ["record", "list", "--json"], ["doctor", "--json"], ["validate"], ["status"]],
    ids=" ".join,
)
def test_home_that_is_no_utf8_is_refused_by_name(
    words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_cli([*words, "--home", str(tmp_path / STRANGE)]) == 2

    assert f"{SHOWN}: the path is no UTF-8 text" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_pictures_in_a_folder_that_is_no_utf8_are_refused_by_name(
    pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    where = ["--home", str(tmp_path / "home"), "--images", str(pictures)]

    assert run_cli(["validate", *where]) == 1
    assert f"{SHOWN}: the path is no UTF-8 text" in capsys.readouterr().out
    assert run_cli(["up", "--for", "1", *where]) == 2
    assert f"{SHOWN}: the path is no UTF-8 text" in capsys.readouterr().err


def test_facts_in_a_file_that_is_no_utf8_are_refused_by_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    facts = tmp_path / STRANGE
    facts.write_text("a fact\n")

    assert run_cli(["validate", "--home", str(tmp_path), "--factoids", str(facts)]) == 1
    assert f"{SHOWN}: the path is no UTF-8 text" in capsys.readouterr().out


def test_home_that_is_too_long_is_named_by_doctor_and_validate(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    home = tmp_path / "/".join(["d" * 200] * 18)

    assert run_cli(["validate", "--json", "--home", str(home)]) == 1
    problems = json.loads(capsys.readouterr().out)["problems"]
    assert run_cli(["doctor", "--json", "--home", str(home)]) == 1
    checks = {check["name"]: check for check in json.loads(capsys.readouterr().out)["checks"]}

    said = f"the path has {len(str(home))} bytes, at most {LONGEST_HOME}"
    assert said in problems[0]
    assert checks["home"]["verdict"] == "FAIL" and said in checks["home"]["text"]


@pytest.mark.parametrize("command", ["status", "down", "stats"])
@pytest.mark.parametrize("closed", ["home", "lock"])
def test_home_of_another_user_is_not_said_to_be_without_a_supervisor(command: str, closed: str, tmp_path: Path) -> None:
    home = Home(tmp_path)
    run_cli([command, "--home", str(tmp_path / "none")])  # imports what a stranger may not

    with hold_home(home, Holder(pid=os.getpid(), started_at="now", runtime=str(tmp_path))):
        shut = home.root if closed == "home" else home.lock_file
        shut.chmod(0)
        code, said = as_a_stranger(lambda: run_cli([command, "--home", str(tmp_path)]))
        shut.chmod(0o700)

    assert code == 1
    assert f"{tmp_path} cannot be seen" in said and "Permission denied; it belongs to" in said
    assert "no supervisor runs" not in said


def test_home_that_may_not_be_looked_into_is_not_taken_for_an_empty_one() -> None:
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        home.mkdir()
        Path(folder).chmod(0o755)
        run_cli(["config", "show", "--home", str(home)])  # imports what a stranger may not
        home.chmod(0)

        code, said = as_a_stranger(lambda: run_cli(["config", "show", "--home", str(home)]))

        home.chmod(0o700)
    assert code == 1
    assert f"{home} cannot be seen: Permission denied; it belongs to" in said


def test_terminal_that_lacks_a_character_is_shown_its_number() -> None:
    code = (
        "import sys\n"
        "from supervisor.cli import main\n"
        "sys.argv[1:] = ['--version']\n"
        "try:\n    main()\n"
        "except SystemExit:\n    print(chr(0x142), file=sys.stdout)\n"
    )
    environment = {**os.environ, "PYTHONIOENCODING": "ascii:strict"}

    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=30, check=False
    )

    assert done.stdout.endswith("\\u0142\n"), done.stderr
