"""A scene has one prompt for each style, format and language, made of a closed vocabulary (seed 004, 4.3 and 10)."""

import hashlib
import itertools
import re

import pytest

from actors.nightly_observer.composer import scene_of
from actors.nightly_observer.lint import findings
from actors.nightly_observer.renderer import RENDERER_VERSION, render
from actors.nightly_observer.renderer.rendering import TONGUES
from schemas.dream_seeds import SEED_TYPES, TONES
from schemas.night_settings import LANGUAGES, OUTPUT_FORMATS, STYLES, Language, OutputFormat, RendererSettings, Style
from schemas.scene import Scene
from tests.actors.nightly_observer.dream_seeds import one_of_each, seed
from tests.actors.nightly_observer.forbidden_words import forbidden_in

MANNERS = list(itertools.product(STYLES, OUTPUT_FORMATS))
SCENES = [
    scene_of(()),
    scene_of(one_of_each()[:3]),
    scene_of(one_of_each("strong")[2:]),
    scene_of([seed("duplicate", key=str(at), anchors=4, exact_pairs=at) for at in range(3)]),
    *(scene_of([seed(seed_type, tone, bins=(at,))]) for at, seed_type in enumerate(SEED_TYPES) for tone in TONES),
]


def told(scene: Scene, style: Style, output_format: OutputFormat, language: Language) -> str:
    return render(scene, RendererSettings(style=style, output_format=output_format, language=language))


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("scene", SCENES)
def test_sixteen_renders_differ_pairwise_and_are_clean(scene: Scene, language: Language):
    prompts = [told(scene, style, form, language) for style, form in MANNERS]

    assert len(set(prompts)) == 16 and all(prompts)
    assert [findings(prompt, language) for prompt in prompts] == [()] * 16
    assert [forbidden_in(prompt) for prompt in prompts] == [[]] * 16


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("scene", SCENES)
def test_formats_have_their_grammar(scene: Scene, style: Style, language: Language):
    prompt, story, bullets, image = (told(scene, style, form, language) for form in OUTPUT_FORMATS)

    assert "\n" not in prompt and len(prompt) <= 900
    assert len(re.findall(r"[.。!]", story)) >= 2 and "\n" not in story
    assert not any(coda in story for coda in TONGUES[language].vocabulary.styles[style].codas)
    assert all(line.startswith("- ") and len(line) > 4 for line in bullets.splitlines())
    assert len(bullets.splitlines()) == 1 + max(1, len(scene.transforms))
    assert "\n" not in image and not re.search(r"[.。]", image)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("scene", SCENES)
def test_every_word_is_of_the_vocabulary(scene: Scene, language: Language):
    known = "\n".join(TONGUES[language].vocabulary.texts()).casefold()
    words = set(re.findall(r"[a-z][a-z'-]*", known)) if language == "en" else set(known)

    for style, form in MANNERS:
        prompt = told(scene, style, form, language).casefold()
        said = re.findall(r"[a-z][a-z'-]*", prompt) if language == "en" else re.findall(r"[^\s-]", prompt)
        assert set(said) <= words


@pytest.mark.parametrize("language", LANGUAGES)
def test_scenes_of_other_seeds_read_differently(language: Language):
    scenes = [scene_of([seed(seed_type, key=str(key))]) for seed_type in SEED_TYPES for key in range(8)]

    prompts = [told(scene, "minimal", "text_prompt", language) for scene in scenes]

    assert len(set(prompts)) == len(prompts)
    openings = {re.split(r"[.。]", prompt)[0] for prompt in prompts}
    assert len(openings) >= 10


def test_tones_are_heard():
    prompts = {told(scene_of([seed("budget_pressure", tone)]), "minimal", "story", "en") for tone in TONES}

    assert len(prompts) == 3


def test_two_seeds_of_a_type_are_told_in_different_words():
    bullets = told(scene_of([seed("conflict"), seed("conflict", key="b")]), "clinical", "bullet_scenes", "en")

    first, second = bullets.splitlines()[1:]
    assert first.startswith("- Two") != second.startswith("- Two")


def test_other_words_are_another_version():
    words = [text for language in LANGUAGES for text in TONGUES[language].vocabulary.texts()]
    words += [
        told(scene, style, form, language) for scene in SCENES for language in LANGUAGES for style, form in MANNERS
    ]

    digest = hashlib.sha256("\n".join(words).encode()).hexdigest()
    assert (RENDERER_VERSION, digest[:16]) == ("1", "673d55c217ece653"), "raise the version, and note the digest"


def test_prompts_hold_no_anchor():
    scene = scene_of(one_of_each())

    anchors = {thing.anchor[2:] for thing in scene.elements}
    for style, form in MANNERS:
        prompt = told(scene, style, form, "en")
        assert not any(anchor[:6] in prompt for anchor in anchors)
