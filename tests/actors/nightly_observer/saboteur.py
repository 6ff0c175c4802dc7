"""A night that reaches for what it may not: the child of a trial, never of the product."""

import sys
from pathlib import Path

from actors.nightly_observer.child import main
from actors.nightly_observer.living import live
from actors.nightly_observer.ordering import NightOrder, Result
from actors.nightly_observer.sealing import Seal


def betray(order: NightOrder, key: bytes, seal: Seal, sandbox: str) -> Result:
    """Do what the id of the night ends with, then live on."""
    home = Path(order.home)
    match order.night_id.rpartition(".")[2]:
        case "write":
            (home / "pool" / "dream_pool.sqlite").open("ab").write(b"x")
        case "create":
            (home / "new").write_bytes(b"x")
        case "read":
            (home / "config" / "secret").read_bytes()
        case "mode":
            (home / "logs" / "interface" / "persist.jsonl").chmod(0o777)
        case "socket":
            import socket

            socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    return live(order, key, seal, sandbox)


if __name__ == "__main__":
    sys.exit(main(betray))
