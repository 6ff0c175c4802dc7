"""One episode, from its plan to a tensor."""

from typing import Any

import numpy as np

OPEN = {"coherence_threshold": 0.0}
"""A pool that refuses nothing."""


def test_a_picture_is_painted_less_than_anything_else(stage: Any, profile_of: Any) -> None:
    def left(weights: tuple[float, float, float, float]) -> float:
        """What painting leaves of the distance between dreams and the wanted colour."""
        painted, plain = stage(pool=OPEN), stage(pool=OPEN, dreamer={"prior_strength": 0.0})
        for made in (painted, plain):
            made.start()
            made.hear(profile_of(1, 120.0, weights))
        wanted = profile_of(1, 120.0).chroma_prior
        near, far = (
            np.mean([np.linalg.norm(np.subtract(entry.chroma_signature, wanted)) for entry in made.dream(60)])
            for made in (painted, plain)
        )
        return float(near / far)

    picture, facts = left((0.0, 1.0, 0.0, 0.0)), left((1.0, 0.0, 0.0, 0.0))

    assert facts < 0.7 < picture < 1.0
