"""The renderer: scenes as prompts, made of a closed vocabulary.

In: a scene and the settings. Out: a prompt. The same scene gives the same prompt everywhere.
"""

from actors.nightly_observer.renderer.rendering import RENDERER_VERSION, render

__all__ = ["RENDERER_VERSION", "render"]
