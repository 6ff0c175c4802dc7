"""Seed 004, the dreams of the night: for every clause the tests that show it.

A clause names tests by file and function; one that is renamed or removed fails here. The prompt of section 10 and the
counter-example are in `actors/nightly_observer/test_lint.py`.
"""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

from schemas.dream_artifact import DreamArtifact, DreamBlock, SeedsSummary
from schemas.dream_seeds import SEED_TYPES
from schemas.night_files import load_runtime
from schemas.night_settings import OUTPUT_FORMATS, STYLES
from schemas.scene import CHANGES_OF

TESTS = Path(__file__).parents[1]
PACKAGED = (TESTS.parent / "config" / "runtime.yaml").read_bytes()
FILES = {
    "here": "seeds/test_seed_004.py",
    "night": "system/test_the_night.py",
    "views": "supervisor/nightly/test_views.py",
    "asking": "supervisor/nightly/test_asking.py",
    "commands": "supervisor/nightly/test_commands.py",
}
"""Files by short names; any other name is that of a file of the observer's tests."""
CLAUSES: dict[str, tuple[tuple[str, str], ...]] = {
    "1 another rendering of the logs": (
        ("kernel", "test_every_seed_has_value_threshold_op_n_and_numbers_alone"),
        ("composer", "test_each_type_has_its_transforms_and_things_with_the_anchors_of_the_seed"),
    ),
    "2 in the night only": (
        ("asking", "test_in_the_middle_of_the_day_a_night_has_to_be_named"),
        ("asking", "test_night_is_within_its_window"),
    ),
    "2 read-only": (
        ("night", "test_the_kernel_sees_no_file_opened_for_writing_but_in_the_folder_of_nights"),
        ("the_box", "test_a_night_that_reaches_for_more_dies_and_says_so"),
        ("reading", "test_reading_changes_nothing_of_the_home"),
        ("eqnet", "test_nothing_below_the_folder_changes_and_links_are_not_followed"),
    ),
    "2 stored apart": (("living", "test_nightly_json_has_the_block_of_the_seed_and_nothing_of_a_dream"),),
    "2 privacy first": (
        ("anchors", "test_no_anchor_holds_a_plain_digest_of_an_id"),
        ("eqnet", "test_no_raw_id_is_in_what_comes_out"),
        ("views", "test_no_text_of_a_strange_nightly_file_reaches_a_view"),
    ),
    "2 diagnostic only": (("here", "test_a_dream_says_that_it_is_diagnostic_only_and_is_judged_by_nothing"),),
    "3 the writer adds the meta": (("writer", "test_the_text_of_other_values_is_the_same_byte_for_byte"),),
    "4.1 five seeds": (
        ("here", "test_the_words_of_the_seed_are_those_of_the_schemas"),
        ("kernel", "test_a_day_of_each_kind_fires_its_own_seed_and_no_other"),
        ("kernel", "test_a_day_of_everything_fires_all_five"),
        ("kernel", "test_a_quiet_day_fires_none_and_counts_zero"),
    ),
    "4.1 anchors, never raw ids": (
        ("anchors", "test_under_mask_a_dream_has_another_anchor_every_night_and_one_in_a_night"),
    ),
    "4.1 tone": (("kernel", "test_the_tone_follows_from_how_far_a_value_is_over_its_threshold"),),
    "4.2 a structure, no sentences": (("composer", "test_a_scene_holds_no_word_that_is_not_of_the_schema"),),
    "4.2 constraints": (("composer", "test_a_scene_refuses_other_fields_missing_constraints_and_strange_indices"),),
    "4.2 transforms": (("here", "test_the_words_of_the_seed_are_those_of_the_schemas"),),
    "4.3 styles and formats": (
        ("renderer", "test_sixteen_renders_differ_pairwise_and_are_clean"),
        ("renderer", "test_formats_have_their_grammar"),
    ),
    "5 the block": (
        ("living", "test_a_block_stays_small_however_many_seeds_there_are"),
        ("stage", "test_a_night_dreams_or_says_why_not"),
    ),
    "5 references": (("verifying", "test_a_flipped_byte_is_found_and_names_the_reference"),),
    "5 the artifact": (("stage", "test_a_dream_has_what_the_seed_shows"),),
    "5 encrypted": (
        ("living", "test_a_sealed_dream_is_an_age_file_that_age_itself_opens"),
        ("living", "test_without_a_recipient_nothing_is_kept_and_nothing_lies_open"),
    ),
    "6 settings": (
        ("here", "test_the_settings_of_the_seed_are_packaged_as_it_gives_them"),
        ("asking", "test_settings_that_are_wrong_are_refused_by_name_and_line"),
    ),
    "6 most a night": (("living", "test_twelve_seeds_are_three_dreams_however_often_the_night_is_lived"),),
    "6 days to live": (("living", "test_dreams_are_gone_after_thirty_nights_and_not_before"),),
    "7 one way": (
        ("night", "test_a_night_looks_back_and_nothing_flows_back"),
        ("living", "test_dreams_do_not_depend_on_the_dreams_of_the_night_before"),
    ),
    "8 no judgement": (("here", "test_a_dream_says_that_it_is_diagnostic_only_and_is_judged_by_nothing"),),
    "9 seeds only": (("stage", "test_when_only_seeds_are_asked_for_nothing_needs_a_recipient"),),
    "10 the example": (
        ("lint", "test_the_example_of_the_seed_is_clean"),
        ("lint", "test_the_prompt_of_the_origin_is_found_in_all_its_kinds"),
        ("renderer", "test_every_word_is_of_the_vocabulary"),
    ),
}


@cache
def functions_of(name: str) -> frozenset[str]:
    path = TESTS / FILES.get(name, f"actors/nightly_observer/test_{name}.py")
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return frozenset(node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef))


@pytest.mark.parametrize("clause", CLAUSES)
def test_every_clause_has_its_tests(clause: str):
    missing = [test for name, test in CLAUSES[clause] if test not in functions_of(name)]

    assert missing == []


def test_the_words_of_the_seed_are_those_of_the_schemas():
    assert SEED_TYPES == ("duplicate", "conflict", "bridge", "budget_pressure", "guard_overuse")
    assert tuple(CHANGES_OF) == SEED_TYPES == tuple(SeedsSummary.model_fields)
    assert {"invert", "blend", "connect"} <= {change for changes in CHANGES_OF.values() for change in changes}
    assert STYLES == ("minimal", "cinematic", "poetic", "clinical")
    assert OUTPUT_FORMATS == ("text_prompt", "story", "bullet_scenes", "image_prompt")


def test_the_settings_of_the_seed_are_packaged_as_it_gives_them():
    dream = load_runtime(PACKAGED).dream

    assert (dream.mode, dream.max_per_night, dream.ttl_days) == ("observe", 3, 30)
    assert (dream.generate_when.min_seeds, dream.generate_when.allow_if_all_zero) == (1, False)
    assert dream.storage.encrypt


def test_a_dream_says_that_it_is_diagnostic_only_and_is_judged_by_nothing():
    names = [*DreamArtifact.model_fields, *DreamBlock.model_fields]

    assert DreamArtifact.model_fields["diagnostic_only"].is_required()
    assert not [name for name in names if re.search("score|quality|rating|grade|correct", name)]
