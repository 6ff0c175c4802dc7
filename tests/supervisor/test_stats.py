"""Figures of heartbeats become the sections of `stats`."""

from schemas.control import Figure
from supervisor.stats import StatsReport, collect_sections, nest


def figures(**values: float | int | str | None) -> tuple[Figure, ...]:
    return tuple(Figure(name=name.replace("__", "."), value=value) for name, value in values.items())


def test_report_has_the_promised_figures_before_anybody_has_said_anything() -> None:
    tree = StatsReport(running=True, run_id="r", uptime_s=0.0, sections=collect_sections({})).tree()

    assert tree["pool"] == {"dreams_total": 0, "coherence_mean": None}
    assert tree["learner"] == {"epochs": 0}
    assert tree["bias"] == {"profiles": 0, "applied_by_dreamer": 0}


def test_profiles_applied_by_the_dreamer_stand_with_the_bias() -> None:
    sections = collect_sections({"bias-synthesizer": figures(profiles=3), "dreamer": figures(profiles_applied=2)})

    assert sections["bias"]["profiles"] == 3
    assert sections["bias"]["applied_by_dreamer"] == 2


def test_acceptance_is_told_for_each_source() -> None:
    said = figures(accepted__image=8, rejected__image=2, rejected__random=4, accepted__pool=0, rejected__pool=0)

    sections = collect_sections({"dreamer": said})

    assert sections["dreamer"]["acceptance.image"] == 0.8
    assert sections["dreamer"]["acceptance.random"] == 0.0
    assert sections["dreamer"]["acceptance.pool"] is None


def test_dotted_names_are_nested() -> None:
    assert nest({"kpis.coverage": 0.5, "kpis.recency": None, "epochs": 2}) == {
        "epochs": 2,
        "kpis": {"coverage": 0.5, "recency": None},
    }


def test_name_that_begins_another_keeps_both() -> None:
    assert nest({"a": 1, "a.b": 2, "a.b.c": 3}) == {"a": 1, "a.b": 2, "a.b.c": 3}
