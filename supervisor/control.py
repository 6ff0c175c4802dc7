"""The supervisor's control socket: one JSON line in, one JSON line out.

In: requests of the commands `status`, `stats`, `restart`, `attach`, `pool` and `down`, over a stream socket in
the private runtime folder. Out: answers. Refused, with the reason: what is no request, and a line over the limit;
a client that sends nothing is dropped.
"""

import selectors
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from pydantic import ValidationError

from schemas.base import Record
from supervisor.errors import ControlError, RefusedError, SilentError
from supervisor.reports import StatusReport
from supervisor.seats import SeatGiven, SeatRequest
from supervisor.stats import StatsReport

SOCKET_NAME: Final = "supervisor.ctl"
MAX_REQUEST_BYTES: Final = 64 * 1024
CLIENT_PATIENCE_S: Final = 5.0
"""How long a client may take to send its line."""
ANSWER_PATIENCE_S: Final = 3.0
"""How long a client waits for the answer."""
SEND_PATIENCE_S: Final = 0.5
HUNG_UP: Final = (
    "the supervisor ended the conversation without an answer: it is just stopping, or was killed; try again"
)


class Request(Record):
    """What a command asks."""

    verb: Literal["status", "stats", "restart", "attach", "publish", "stop"]
    actor: str | None = None
    """For `restart`."""
    segment: str | None = None
    """For `publish`."""
    seat: SeatRequest | None = None
    """For `attach`."""


class Answer(Record):
    """What the supervisor says; `error` says why it does not do what was asked."""

    error: str | None = None
    is_refused: bool = False
    """Whether the fault is with what was asked."""
    status: StatusReport | None = None
    stats: StatsReport | None = None
    seat: SeatGiven | None = None


@dataclass
class _Client:
    connection: socket.socket
    since_s: float
    received: bytes = b""


class ControlServer:
    """The supervisor's end, driven by its loop."""

    def __init__(self, runtime: Path, answer: Callable[[Request], Answer], selector: selectors.BaseSelector) -> None:
        self._path = runtime / SOCKET_NAME
        self._answer = answer
        self._selector = selector
        self._clients: dict[int, _Client] = {}
        self._path.unlink(missing_ok=True)
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.setblocking(False)
        self._listener.bind(str(self._path))
        self._listener.listen(16)
        selector.register(self._listener, selectors.EVENT_READ, self._accept)

    def drop_silent(self, now_s: float) -> None:
        """Drop the clients that have not finished their line in time."""
        for client in list(self._clients.values()):
            if now_s - client.since_s > CLIENT_PATIENCE_S:
                self._drop(client)

    def close(self) -> None:
        """Drop every client and remove the socket."""
        for client in list(self._clients.values()):
            self._drop(client)
        self._selector.unregister(self._listener)
        self._listener.close()
        self._path.unlink(missing_ok=True)

    def _accept(self) -> None:
        try:
            connection, _ = self._listener.accept()
        except OSError:
            return
        connection.setblocking(False)
        client = _Client(connection, time.monotonic())
        self._clients[connection.fileno()] = client
        self._selector.register(connection, selectors.EVENT_READ, lambda: self._read(client))

    def _read(self, client: _Client) -> None:
        try:
            data = client.connection.recv(MAX_REQUEST_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        client.received += data
        if b"\n" in client.received:
            self._reply(client, self._handle(client.received.partition(b"\n")[0]))
        elif len(client.received) > MAX_REQUEST_BYTES:
            self._reply(client, Answer(error=f"a request has at most {MAX_REQUEST_BYTES} bytes"))
        elif not data:
            self._drop(client)

    def _handle(self, line: bytes) -> Answer:
        try:
            request = Request.model_validate_json(line)
        except ValidationError as error:
            found = error.errors(include_url=False)[0]
            where = ".".join(str(part) for part in found["loc"]) or "request"
            return Answer(error=f"{where}: {found['msg']}")
        return self._answer(request)

    def _reply(self, client: _Client, answer: Answer) -> None:
        try:
            client.connection.settimeout(SEND_PATIENCE_S)
            client.connection.sendall(answer.model_dump_json().encode() + b"\n")
        except OSError:
            pass  # the client has gone, and with it whoever wanted to know
        self._drop(client)

    def _drop(self, client: _Client) -> None:
        del self._clients[client.connection.fileno()]
        self._selector.unregister(client.connection)
        client.connection.close()


def ask(runtime: Path, request: Request, patience_s: float = ANSWER_PATIENCE_S) -> Answer:
    """The supervisor's answer; raises SilentError after `patience_s` without one, ControlError when it refuses."""
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(patience_s)
            connection.connect(str(runtime / SOCKET_NAME))
            connection.sendall(request.model_dump_json().encode() + b"\n")
            with connection.makefile("rb") as stream:
                line = stream.readline()
    except TimeoutError as error:
        raise SilentError(f"the supervisor does not answer within {patience_s:g} s") from error
    except ConnectionError as error:
        if isinstance(error, ConnectionRefusedError):
            raise ControlError(f"nobody listens on {runtime / SOCKET_NAME}") from error
        raise ControlError(HUNG_UP) from error
    except OSError as error:
        reason = error.strerror or str(error)
        raise ControlError(f"the supervisor cannot be reached on {runtime / SOCKET_NAME}: {reason}") from error
    if not line:
        raise ControlError(HUNG_UP)
    try:
        answer = Answer.model_validate_json(line)
    except ValidationError as error:
        raise ControlError(f"the supervisor's answer is not understood; is it of another version? ({error})") from error
    if answer.error is not None:
        raise RefusedError(answer.error) if answer.is_refused else ControlError(answer.error)
    return answer
