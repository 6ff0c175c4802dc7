"""The ladder is gone down rung by rung, and never silently (design, section 3)."""

from collections.abc import Callable

import pytest

from bus.box.errors import IsolationRefusedError
from bus.box.ladder import Offer, choose, offers
from schemas.isolation import LADDER, Rung


def machine_with(*available: Rung) -> Callable[[Rung], Offer]:
    """A machine that has these rungs, and `none`."""
    return lambda rung: Offer(rung, rung in (*available, "none"), f"no {rung} here")


def test_the_strongest_available_rung_is_taken() -> None:
    assert choose("landlock+seccomp", "required", machine_with(*LADDER)) == "landlock+seccomp"


@pytest.mark.parametrize("rung", ["seccomp-no-open", "bwrap"])
def test_a_weaker_box_is_taken_where_there_is_no_stronger(rung: Rung) -> None:
    assert choose("landlock+seccomp", "required", machine_with(rung)) == rung


@pytest.mark.parametrize("strongest", LADDER[1:3])
def test_nothing_above_the_rung_to_begin_with_is_taken(strongest: Rung) -> None:
    assert choose(strongest, "required", machine_with(*LADDER)) == strongest


def test_no_box_at_all_is_refused_with_what_is_missing_and_the_way_out() -> None:
    with pytest.raises(IsolationRefusedError) as caught:
        choose("landlock+seccomp", "required", machine_with())

    assert caught.value.is_permanent
    for rung in LADDER[:3]:
        assert f"no {rung} here" in str(caught.value)
    assert 'supervisor.isolation = "best-effort"' in str(caught.value)


def test_beginning_with_none_is_refused_where_a_box_is_required() -> None:
    with pytest.raises(IsolationRefusedError, match="strongest_box is none"):
        choose("none", "required", machine_with(*LADDER))


@pytest.mark.parametrize("strongest", LADDER)
def test_best_effort_goes_without_a_box_where_there_is_none(strongest: Rung) -> None:
    assert choose(strongest, "best-effort", machine_with()) == "none"


def test_what_is_below_the_chosen_rung_is_not_tried() -> None:
    # trying bwrap starts a process
    asked: list[Rung] = []
    offer = machine_with(*LADDER)

    choose("landlock+seccomp", "required", lambda rung: asked.append(rung) or offer(rung))

    assert asked == ["landlock+seccomp"]


def test_every_rung_of_this_machine_is_explained() -> None:
    found = offers()

    assert tuple(offer.rung for offer in found) == LADDER
    assert all(offer.why for offer in found)
    assert found[-1].is_available
    assert not found[0].is_available or found[1].is_available
