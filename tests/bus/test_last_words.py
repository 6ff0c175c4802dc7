"""What an actor hears before it leaves: actors to the end, guests as long as there is time."""

from collections.abc import Callable
from pathlib import Path

from bus.core import Actor
from bus.loop import ActorLoop
from bus.seating import FILE_NAME
from schemas.guests import Guest, GuestBook
from schemas.manifest import Seat

ANN = Seat(instance="ann", role="learner")
BURST = 300


def ask(stage, loop: ActorLoop, count: int) -> None:
    """Let one loop alone journal `count` requests or more."""
    goal = loop.actor.core.asked + count
    while loop.actor.core.asked < goal:
        loop.inbox.wait(1)
        loop.turn()


def enter(stage, instance: str, talker: Callable[[], Actor]) -> ActorLoop:
    loop: ActorLoop = stage.enter(instance, talker)
    loop.actor.core.burst = BURST
    return loop


def leave(loop: ActorLoop) -> None:
    loop.is_stopping = True
    loop.run()


def seat_ann(stage) -> None:
    """Ann is a guest: the actors know her by the guest book alone."""
    book = GuestBook(version=1, guests=(Guest(instance="ann", role="learner", public_key=None, takes_frames=False),))
    folder: Path = stage.home / "runs" / "run"
    folder.mkdir(parents=True)
    (folder / FILE_NAME).write_text(book.model_dump_json())


def test_what_was_said_while_a_journal_was_being_read_is_heard_too(
    stage, talker: Callable[[], Actor], answerer: Callable[[], Actor]
) -> None:
    learner = enter(stage, "learner", talker)
    ask(stage, learner, BURST)
    keeper = stage.enter("pool-keeper", answerer)
    keeper.turn()
    assert keeper.intake.has_backlog
    ask(stage, learner, BURST)

    leave(keeper)

    assert keeper.actor.core.seen == list(range(1, learner.actor.core.asked + 1))


def test_a_guest_that_says_too_much_keeps_no_actor_from_leaving(
    stage, talker: Callable[[], Actor], answerer: Callable[[], Actor], monkeypatch, capfd
) -> None:
    monkeypatch.setattr("bus.loop.LAST_WORDS_S", 0.0)
    seat_ann(stage)
    ours, stage.seats = stage.seats, (*stage.seats, ANN)
    guest = enter(stage, "ann", talker)
    stage.seats = ours
    learner = enter(stage, "learner", talker)
    for loop in (guest, learner):
        ask(stage, loop, 2 * BURST)
    keeper = stage.enter("pool-keeper", answerer)

    leave(keeper)

    seen = keeper.actor.core.seen
    assert set(range(1, learner.actor.core.asked + 1)) <= set(seen)
    assert len(seen) < learner.actor.core.asked + guest.actor.core.asked
    assert capfd.readouterr().out.count("ann has said more than can be heard before the end") == 1


def test_a_guest_that_says_no_more_than_others_is_heard_to_the_end(
    stage, talker: Callable[[], Actor], answerer: Callable[[], Actor]
) -> None:
    seat_ann(stage)
    ours, stage.seats = stage.seats, (*stage.seats, ANN)
    guest = enter(stage, "ann", talker)
    stage.seats = ours
    ask(stage, guest, 2 * BURST)
    keeper = stage.enter("pool-keeper", answerer)

    leave(keeper)

    assert keeper.actor.core.seen == list(range(1, guest.actor.core.asked + 1))
