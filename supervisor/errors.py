"""The supervisor's branch of the error tree: mistakes and circumstances that a user can act on.

The command line prints `str(error)` and the exit code of the class, never a traceback.
"""

from typing import ClassVar

from schemas.errors import OneirosError
from supervisor.advice import advise


class SupervisorError(OneirosError):
    """Something that the user must know or change; `exit_code` is what the command ends with."""

    exit_code: ClassVar[int] = 1


class FolderRefusedError(SupervisorError):
    """A folder that state or sockets were to live in cannot be used."""

    exit_code: ClassVar[int] = 2

    def __init__(self, path: str, reason: str, advice: str) -> None:
        self.path = path
        self.reason = reason
        super().__init__(f"{path}: {reason}; {advice}")


class SocketsRefusedError(SupervisorError):
    """A socket that a boxed actor is to be handed cannot be made."""

    exit_code: ClassVar[int] = 3

    def __init__(self, instance: str, reason: str) -> None:
        self.instance = instance
        self.reason = reason
        super().__init__(f"{instance} cannot start: {reason}")


class InputsRefusedError(SupervisorError):
    """The pictures or facts of a run do not do; `problems` holds one line for each reason."""

    exit_code: ClassVar[int] = 2

    def __init__(self, summary: str, problems: tuple[str, ...] = ()) -> None:
        self.summary = summary
        self.problems = problems
        super().__init__("\n  ".join((summary, *problems)))


class UsageError(SupervisorError):
    """What was asked for cannot be done as asked."""

    exit_code: ClassVar[int] = 2


class NotRunningError(SupervisorError):
    """The command needs a running supervisor, and the home has none."""

    exit_code: ClassVar[int] = 3

    def __init__(self, home: str) -> None:
        self.home = home
        super().__init__(f"no supervisor runs on {home}; start one with {advise('up', home)}")


class HomeHiddenError(SupervisorError):
    """This user may not see a home, or whether a supervisor runs on it."""

    def __init__(self, home: str, reason: str, owner: str) -> None:
        self.home = home
        self.owner = owner
        super().__init__(f"{home} cannot be seen: {reason}; it belongs to {owner}, run the command as that user")


class AlreadyRunningError(UsageError):
    """Another supervisor holds the home."""

    def __init__(self, home: str, pid: int | None, started_at: str, runtime: str) -> None:
        self.home = home
        self.pid = pid
        self.started_at = started_at
        self.runtime = runtime
        who = f"pid {pid}, started {started_at}, runtime folder {runtime}" if pid else "its lock file does not say who"
        super().__init__(f"a supervisor already runs on {home} ({who}); {advise('down', home)} stops it")


class ControlError(SupervisorError):
    """The running supervisor did not answer, or refused the request."""


class RefusedError(ControlError):
    """The running supervisor does not do what was asked: it cannot be done as asked."""

    exit_code: ClassVar[int] = 2


class SilentError(ControlError):
    """The running supervisor did not answer in time."""


class UnreachableError(ControlError):
    """A supervisor holds the home, and the folder of its sockets is gone."""

    def __init__(self, home: str, pid: int, runtime: str) -> None:
        self.home = home
        self.pid = pid
        super().__init__(
            f"the supervisor of {home} (pid {pid}) cannot be reached: its runtime folder {runtime} is gone; "
            f"{advise('down', home)} stops it"
        )


class CannotStartError(SupervisorError):
    """An actor that is needed to finish an interrupted run cannot start, and trying again does not help."""

    exit_code: ClassVar[int] = 3

    def __init__(self, run_id: str, instance: str, reason: str) -> None:
        self.run_id = run_id
        self.reason = reason
        super().__init__(f"{instance} cannot start: {reason} (run {run_id} was interrupted and waits to be finished)")


class RecoveryError(SupervisorError):
    """A run that was interrupted could not be brought to its end."""

    def __init__(self, run_id: str, reason: str, folder: str, home: str) -> None:
        self.run_id = run_id
        self.reason = reason
        super().__init__(
            f"run {run_id} was interrupted and its pool-keeper could not finish it ({reason}); see "
            f"{advise('logs --actor pool-keeper', home)}. Giving up what it had not stored: remove {folder}"
        )
