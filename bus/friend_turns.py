"""Whose turn it is in a dialogue that a host serves: a line is asked for, then told, each once and in order.

In: the id of a dialogue that begins, the friend's requests. Out: whether a request is the one that is due, and then
the next one is. Nothing is refused here; a request that is not due leaves everything as it is.
"""

from dataclasses import dataclass

from schemas.friend import GenerateLine, ObserveLine


@dataclass(slots=True)
class Turns:
    """The place in a dialogue; `dialog_id` is None while none is open."""

    dialog_id: str | None = None
    step: int = 0
    is_observing: bool = False
    """Whether line `step` was said, and is to be heard."""

    def begin(self, dialog_id: str) -> None:
        """Open a dialogue at its first line."""
        self.dialog_id, self.step, self.is_observing = dialog_id, 0, False

    def end(self) -> None:
        """No dialogue is open."""
        self.dialog_id = None

    def take(self, request: GenerateLine | ObserveLine) -> bool:
        """Whether `request` is due; then it is taken."""
        is_observe = isinstance(request, ObserveLine)
        if (request.dialog_id, request.step, is_observe) != (self.dialog_id, self.step, self.is_observing):
            return False
        self.step, self.is_observing = self.step + is_observe, not is_observe
        return True
