"""A process that has imported what every actor needs, and forks an actor in milliseconds.

In: one JSON order a packet on an inherited socket: module, arguments, folder, log, names of the descriptors that come
with it. Out: the id of the new process, or why there is none. An actor is forked twice, so that it becomes a child of
the supervisor, the subreaper, as if that had started it. It has one thread and imports no actor: what the pool-keeper
alone may open is in no other process.

The supervisor starts it as `python -m supervisor.zygote`; it ends when the supervisor closes the socket, or dies.
"""

import gc
import importlib
import itertools
import json
import os
import resource
import runpy
import signal
import socket
import sys
from typing import Final, NoReturn

from bus.inheritance import arguments_for
from supervisor import kernel

MAX_ORDER_BYTES: Final = 64 * 1024
MAX_HANDED: Final = 64
PRELOADED: Final = ("bus.host", "schemas.catalogue", "schemas.inputs", "schemas.manifest", "numpy.fft")
EXIT_BROKEN: Final = 70


def main(descriptor: int) -> None:
    """Serve the orders that come over the socket `descriptor` until it is closed."""
    supervisor = os.getppid()
    kernel.bind_to_parent(supervisor)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with socket.socket(fileno=descriptor) as orders:
        _preload()
        while True:
            order, handed, _, _ = socket.recv_fds(orders, MAX_ORDER_BYTES, MAX_HANDED)
            if not order:
                return
            try:
                answer: dict[str, object] = {"pid": _fork(json.loads(order), handed, supervisor, orders)}
            except OSError as error:
                answer = {"error": str(error)}
            finally:
                for fd in handed:
                    os.close(fd)
            orders.send(json.dumps(answer).encode())


def _preload() -> None:
    """Import and build what every actor needs, and keep the collector away from it, so that its pages stay shared."""
    for name in PRELOADED:
        importlib.import_module(name)
    from schemas.base import Record
    from schemas.catalogue import MESSAGES
    from schemas.inputs import InputSet
    from schemas.manifest import RunManifest

    models: tuple[type[Record], ...] = (*MESSAGES, InputSet, RunManifest)
    for model in models:
        model.model_rebuild()
    gc.collect()
    gc.freeze()


def _fork(order: dict[str, object], handed: list[int], supervisor: int, orders: socket.socket) -> int:
    """Fork twice; the id of the grandchild, once it is the supervisor's child."""
    reader, writer = os.pipe()
    middle = os.fork()
    if middle == 0:
        try:
            os.close(reader)
            own = os.getpid()
            actor = os.fork()
            if actor == 0:
                os.close(writer)
                orders.close()
                while os.getppid() == own:
                    os.sched_yield()
                _become(order, handed, supervisor)
            os.write(writer, str(actor).encode())
        finally:
            os._exit(0)
    os.close(writer)
    told = os.read(reader, 32)
    os.close(reader)
    os.waitpid(middle, 0)
    if not told:
        raise OSError("the process could not be forked")
    return int(told)


def _become(order: dict[str, object], handed: list[int], supervisor: int) -> NoReturn:
    """Be the actor that `order` describes, in a session and with a log of its own."""
    code = EXIT_BROKEN
    try:
        os.setsid()
        module, arguments = str(order["module"]), [str(word) for word in _list(order["arguments"])]
        names = [str(name) for name in _list(order["handed"])]
        _close_all_but(handed)
        _redirect(str(order["log"]))
        kernel.bind_to_parent(supervisor)
        kernel.name_process(module.rpartition(".")[2])
        os.chdir(str(order["folder"]))
        signal.signal(signal.SIGINT, signal.default_int_handler)
        sys.argv = [module, *arguments, *arguments_for(dict(zip(names, handed, strict=True)))]
        runpy.run_module(module, run_name="__main__", alter_sys=True)
        code = 0
    except SystemExit as leaving:
        code = leaving.code if isinstance(leaving.code, int) else int(leaving.code is not None)
    except BaseException:  # an actor's last words are a traceback in its own log, whatever it died of
        sys.excepthook(*sys.exc_info())
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _close_all_but(handed: list[int]) -> None:
    """Let go of every descriptor but the standard ones and those in `handed`."""
    kept = sorted({0, 1, 2, *handed})
    for low, high in itertools.pairwise((*kept, resource.getrlimit(resource.RLIMIT_NOFILE)[0])):
        os.closerange(low + 1, high)


def _redirect(log: str) -> None:
    output = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for source, target in ((nothing, 0), (output, 1), (output, 2)):
        os.dup2(source, target)
    os.close(output)
    os.close(nothing)


def _list(value: object) -> list[object]:
    return value if isinstance(value, list) else []


if __name__ == "__main__":
    main(int(sys.argv[1]))
