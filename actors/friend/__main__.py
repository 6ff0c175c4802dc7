"""The friend as a process: `python -m actors.friend`."""

from actors.friend.core import ARCHIVE, ARCHIVE_PATH, FriendCore
from actors.friend.origin import ORIGIN, README
from bus.core import Actor, Observed
from bus.host import run
from bus.launch import ActorStart


def build(start: ActorStart) -> Actor:
    """The friend of `start`; it observes what an earlier run's field remembered."""
    randomness = start.randomness()
    archive = start.observation(ARCHIVE_PATH)
    observations = () if archive is None else (Observed(ARCHIVE, archive),)
    return Actor(FriendCore(start.settings.friend, randomness, ORIGIN, README), randomness, observations=observations)


if __name__ == "__main__":
    raise SystemExit(run("friend", build))
