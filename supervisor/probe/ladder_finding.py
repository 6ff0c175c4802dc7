"""Which box `supervisor up` closes around the dreamer on this machine, and why none stronger.

In: what the machine offers of each rung, and the settings. Out: one finding for `supervisor doctor`. Nothing is tried
here.
"""

from collections.abc import Sequence

from bus.box.ladder import Offer
from schemas.isolation import Demand, Rung
from supervisor.checks import Finding


def judge_ladder(offers: Sequence[Offer], strongest: Rung, demand: Demand) -> Finding:
    """The box that `supervisor up` closes around the dreamer, and why none stronger."""
    at = next(place for place, offer in enumerate(offers) if offer.rung == strongest)
    chosen = next(offer for offer in offers[at:] if offer.is_available)
    passed = [f"no {offer.rung}: the settings begin below it" for offer in offers[:at]]
    passed += [f"no {offer.rung}: {offer.why}" for offer in offers[at : offers.index(chosen)]]
    text = "; ".join([f"the dreamer runs under {chosen.rung} ({chosen.why})", *passed])
    if chosen.rung != "none":
        return Finding(name="box", verdict="PASS", text=text)
    if demand == "best-effort":
        return Finding(name="box", verdict="WARN", text=text)
    text = f'{"; ".join(passed)}; `up` refuses to run without a box: supervisor.isolation = "best-effort" allows it'
    return Finding(name="box", verdict="FAIL", text=text)
