"""The tokenizers that are shipped, registered.

In: nothing. Out: kinds `none`, `text` and `chromatic` in `registry.TOKENIZERS`; `none` builds None. It refuses nothing.
"""

from actors.learner.trainer.registry import TOKENIZERS
from actors.learner.trainer.tokenizer.chromatic import build_chromatic
from actors.learner.trainer.tokenizer.settings import ChromaticSettings, NoTokenizerSettings, TextSettings
from actors.learner.trainer.tokenizer.text import build_text


def build_none(settings: NoTokenizerSettings) -> None:
    """Nothing: pixels go to the model as they are."""


TOKENIZERS.register("chromatic", ChromaticSettings, build_chromatic)
TOKENIZERS.register("none", NoTokenizerSettings, build_none)
TOKENIZERS.register("text", TextSettings, build_text)
