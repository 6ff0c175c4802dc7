"""The root of all errors of this project, and the branch of the schemas.

Attributes hold the facts; `str()` says what happened, which value, and what to do next.
"""

from typing import ClassVar


class OneirosError(Exception):
    """Root of every error that this project raises on purpose."""

    is_permanent: ClassVar[bool] = False
    """Whether trying again cannot help: something has to be changed first."""


class SchemaError(OneirosError):
    """A value does not fit the schema that it claims."""


class TensorRefusedError(SchemaError):
    """Bytes that claim to be a chromatic tensor are not one."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(f"tensor refused: {reason}")


class SettingsError(SchemaError):
    """One or more configuration values are wrong; `problems` lists all of them."""

    def __init__(self, problems: tuple[str, ...]) -> None:
        self.problems = problems
        super().__init__("\n".join(problems))
