"""The control socket: one line in, one line out, and nothing that a client sends harms the loop."""

import select
import selectors
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from supervisor.control import MAX_REQUEST_BYTES, SOCKET_NAME, Answer, ControlServer, Request, ask
from supervisor.errors import ControlError, SilentError


def answer(request: Request) -> Answer:
    """Repeats what was asked, as an error, a seat as a mistake of whoever asks."""
    if request.verb == "stop":
        return Answer()
    return Answer(error=f"{request.verb} {request.actor}", is_refused=request.verb == "attach")


class Turning:
    """A server that a thread turns until it is told to stop."""

    def __init__(self, runtime: Path) -> None:
        self.runtime = runtime
        self.selector = selectors.DefaultSelector()
        self.server = ControlServer(runtime, answer, self.selector)
        self._stopper, stopped = socket.socketpair()
        self.selector.register(stopped, selectors.EVENT_READ, None)
        self._stopped = stopped
        self._thread = threading.Thread(target=self._turn)
        self._thread.start()

    def _turn(self) -> None:
        while True:
            for key, _ in self.selector.select():
                if key.data is None:
                    return
                key.data()

    def close(self) -> None:
        self._stopper.close()
        self._thread.join()
        self.server.close()
        self._stopped.close()
        self.selector.close()


@pytest.fixture
def turning(tmp_path: Path) -> Iterator[Turning]:
    made = Turning(tmp_path)
    yield made
    made.close()


def send_raw(runtime: Path, data: bytes) -> bytes:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(5.0)
        connection.connect(str(runtime / SOCKET_NAME))
        connection.sendall(data)
        return connection.makefile("rb").readline()


def test_request_is_answered(turning: Turning) -> None:
    assert ask(turning.runtime, Request(verb="stop")) == Answer()


def test_refusal_of_the_supervisor_is_an_error_with_its_reason(turning: Turning) -> None:
    with pytest.raises(ControlError, match="restart learner"):
        ask(turning.runtime, Request(verb="restart", actor="learner"))


def test_what_cannot_be_done_as_asked_is_the_user_s_mistake(turning: Turning) -> None:
    with pytest.raises(ControlError, match="attach") as refused:
        ask(turning.runtime, Request(verb="attach"))
    with pytest.raises(ControlError, match="restart") as failed:
        ask(turning.runtime, Request(verb="restart"))

    assert (refused.value.exit_code, failed.value.exit_code) == (2, 1)


@pytest.mark.parametrize(
    "line", [b"hello\n", b"{}\n", b'{"verb": "explode"}\n', b'{"verb": "stop", "x": 1}\n', b"\xff\n"]
)
def test_what_is_no_request_is_refused_and_the_server_goes_on(turning: Turning, line: bytes) -> None:
    refusal = Answer.model_validate_json(send_raw(turning.runtime, line))

    assert refusal.error
    assert ask(turning.runtime, Request(verb="stop")) == Answer()


def test_endless_line_is_refused(turning: Turning) -> None:
    refusal = Answer.model_validate_json(send_raw(turning.runtime, b"x" * (MAX_REQUEST_BYTES + 1)))

    assert refusal.error is not None and str(MAX_REQUEST_BYTES) in refusal.error


def test_client_that_leaves_without_a_word_is_forgotten(turning: Turning) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.connect(str(turning.runtime / SOCKET_NAME))

    assert ask(turning.runtime, Request(verb="stop")) == Answer()


def test_client_that_says_nothing_is_dropped_after_a_while(tmp_path: Path) -> None:
    selector = selectors.DefaultSelector()
    server = ControlServer(tmp_path, answer, selector)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.connect(str(tmp_path / SOCKET_NAME))
        for key, _ in selector.select(5.0):
            key.data()

        server.drop_silent(now_s=float("inf"))

        connection.settimeout(5.0)
        assert connection.recv(1) == b""
    server.close()
    selector.close()


def test_socket_left_by_a_killed_supervisor_does_not_keep_the_next_from_serving(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as left:
        left.bind(str(tmp_path / SOCKET_NAME))
    selector = selectors.DefaultSelector()

    server = ControlServer(tmp_path, answer, selector)

    server.close()
    selector.close()
    assert not (tmp_path / SOCKET_NAME).exists()


def test_nobody_there_is_an_error_that_names_the_socket(tmp_path: Path) -> None:
    with pytest.raises(ControlError, match=SOCKET_NAME):
        ask(tmp_path, Request(verb="status"))


class Listening:
    """A socket at the supervisor's place that says nothing."""

    def __init__(self, runtime: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.bind(str(runtime / SOCKET_NAME))
        self._socket.listen(1)

    def hang_up(self) -> threading.Thread:
        """Let go of the next client with its request unread, so that it sees a reset."""

        def close_unread() -> None:
            connection, _ = self._socket.accept()
            select.select([connection], [], [], 5.0)
            connection.close()

        thread = threading.Thread(target=close_unread)
        thread.start()
        return thread

    def close(self) -> None:
        self._socket.close()


def test_conversation_that_is_cut_off_is_a_clear_error(tmp_path: Path) -> None:
    listening = Listening(tmp_path)
    thread = listening.hang_up()

    with pytest.raises(ControlError, match="ended the conversation without an answer"):
        ask(tmp_path, Request(verb="status"))

    thread.join()
    listening.close()


def test_supervisor_that_says_nothing_is_told_apart_from_one_that_is_not_there(tmp_path: Path) -> None:
    listening = Listening(tmp_path)

    with pytest.raises(SilentError, match="does not answer within"):
        ask(tmp_path, Request(verb="status"), patience_s=0.05)

    listening.close()
    with pytest.raises(ControlError, match="nobody listens"):
        ask(tmp_path, Request(verb="status"))
