"""A recorded run that a test writes by hand: steps of any actor at any time, as the real journals hold them."""

from pathlib import Path

from bus.codec import pack
from bus.core import Fired, MessageRef
from bus.frame import FrameKind, encode_head, frame_buffers
from bus.segment import SegmentName, list_segments
from bus.step import Numbering, RecordedInput, StepRecord, encode_step
from schemas.base import Message

START_NS = 1_900_000_000 * 1_000_000_000
TICK = Fired("tick")


class WrittenRun:
    """The journals of one run, in `folder`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._numbering: dict[str, Numbering] = {}
        self._files: dict[str, Path] = {}
        self._steps: dict[str, int] = {}

    def begin(self, actor: str, at_s: float = 0.0, epoch: int = 1) -> Path:
        """Begin a segment of `actor`."""
        numbering = self._numbering.get(actor)
        if numbering is None or numbering.epoch != epoch:
            numbering = self._numbering[actor] = Numbering(epoch)
        path = self.folder / actor / SegmentName(epoch, numbering.last_seq + 1).file_name()
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encode_head(pack({"actor": actor, "epoch": epoch, "wall_ns": time_ns(at_s)})))
        self._files[actor] = path
        return path

    def step(
        self, actor: str, at_s: float, event: RecordedInput = TICK, refusal: str | None = None, **sends: Message
    ) -> list[MessageRef]:
        """One step of `actor`: `sends` are messages by receiver, `_` standing for `-`; their ids."""
        sent, data = self.frame(actor, at_s, event, refusal, **sends)
        with self._files[actor].open("ab") as file:
            file.write(data)
        return sent

    def frame(
        self, actor: str, at_s: float, event: RecordedInput = TICK, refusal: str | None = None, **sends: Message
    ) -> tuple[list[MessageRef], bytes]:
        """The bytes of such a step, written nowhere."""
        if actor not in self._files:
            self.begin(actor)
        numbering = self._numbering[actor]
        outgoing = tuple(numbering.outgoing(to.replace("_", "-"), message) for to, message in sends.items())
        self._steps[actor] = self._steps.get(actor, 0) + 1
        body, payloads = encode_step(StepRecord(event, bytes(8), outgoing, refusal))
        buffers, _, _ = frame_buffers(FrameKind.STEP, self._steps[actor], time_ns(at_s), body, payloads)
        return [MessageRef(actor, numbering.epoch, out.seq) for out in outgoing], b"".join(buffers)

    def path(self, actor: str) -> Path:
        """The last segment of `actor`."""
        return list_segments(self.folder / actor)[-1][1]

    def flip(self, actor: str, offset: int) -> None:
        """Change one bit of the last segment of `actor`; a negative offset counts from its end."""
        data = bytearray(self.path(actor).read_bytes())
        data[offset] ^= 1
        self.path(actor).write_bytes(data)


def time_ns(at_s: float) -> int:
    """`at_s` seconds after the beginning of all written runs."""
    return START_NS + round(at_s * 1e9)
