"""Who is boxed, and what stays open to whom (design, section 3)."""

import tomllib
from pathlib import Path

import pytest

from bus.box.profiles import LIMITS, PROFILES, is_boxed, limits_of, walls_of
from schemas.roles import RESIDENT_ROLES, ROLES
from schemas.settings import EngineSettings

ROOT = Path(__file__).parents[3]
HOME = Path("/home/of/dreams")
MIB = 1024 * 1024


def settings(**journal: int) -> EngineSettings:
    told = tomllib.loads((ROOT / "config" / "engine.toml").read_text(encoding="utf-8"))
    told["journal"] |= journal
    return EngineSettings.model_validate(told)


def test_the_dreamer_is_boxed() -> None:
    assert is_boxed("dreamer")


def test_nobody_is_boxed_who_has_no_profile() -> None:
    assert [role for role in ROLES if is_boxed(role)] == list(PROFILES)


def test_the_dreamer_reaches_its_own_journal_and_nothing_else() -> None:
    walls = walls_of("dreamer", HOME, "run-7", "dreamer-2")

    assert walls.writes == (HOME / "journal" / "run-7" / "dreamer-2",)
    assert walls.reads == ()


@pytest.mark.parametrize("role", [role for role in ROLES if not is_boxed(role)])
def test_whoever_is_not_boxed_has_no_walls(role) -> None:
    with pytest.raises(ValueError, match="runs in no box"):
        walls_of(role, HOME, "run-7", role)


def test_every_actor_has_limits() -> None:
    assert set(LIMITS) == set(RESIDENT_ROLES)


def test_no_actor_has_fewer_descriptors_than_are_allowed() -> None:
    assert {role: limits_of(role, settings()).open_files for role in RESIDENT_ROLES} == dict.fromkeys(RESIDENT_ROLES)


def test_a_file_of_the_dreamer_may_hold_a_segment_and_the_frame_that_fills_it() -> None:
    small, large = (limits_of("dreamer", settings(segment_mib=size)).file_bytes for size in (1, 4096))

    assert small is not None
    assert large is not None
    assert (small > 256 * MIB, large - small) == (True, 4095 * MIB)


def test_more_pictures_may_take_more_memory() -> None:
    few = settings()
    many = few.model_copy(update={"run": few.run.model_copy(update={"max_images": few.run.max_images + 100})})

    grown = (limits_of("learner", many).memory_bytes or 0) - (limits_of("learner", few).memory_bytes or 0)

    assert grown >= 100 * few.run.image_side**2 * 3
