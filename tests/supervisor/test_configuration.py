"""Settings: layered, traceable, and wrong ones named all at once."""

import json
from pathlib import Path

import pytest

from schemas.errors import SettingsError
from supervisor.allowed import allowed, known_keys
from supervisor.configuration import Configuration, Sources, default_file, load_configuration
from supervisor.home import Home
from supervisor.layers import Stated


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "home")


def write(folder: Path, text: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "engine.toml"
    path.write_text(text, encoding="utf-8")
    return path


def problems_of(sources: Sources) -> tuple[str, ...]:
    with pytest.raises(SettingsError) as refused:
        load_configuration(sources)
    return refused.value.problems


def only_problem_of(sources: Sources) -> str:
    (problem,) = problems_of(sources)
    return problem


def resolved(home: Home, *assignments: str) -> Configuration:
    return load_configuration(Sources(home, assignments=assignments))


def test_defaults_alone_make_a_whole_configuration(home):
    configuration = resolved(home)

    assert set(configuration.origins) == set(known_keys())
    assert set(configuration.origins.values()) == {"default"}


def test_the_file_of_seed_000_has_its_values(home):
    # seed 000, section 8
    settings = resolved(home).settings

    assert settings.interface.retrieval_default == "mixed"
    assert settings.interface.alpha_cosine == 0.6
    assert settings.interface.recency_decay == 0.02
    assert settings.interface.k == 8
    assert settings.bias.update_interval_steps == 200
    assert settings.bias.min_feedback == 20
    assert settings.bias.chroma_bins == 24


def test_each_layer_goes_over_the_one_before(home):
    path = write(home.config, "[run]\nseed = 1\nmax_images = 10\n[dreamer]\nsteps = 3\n")
    sources = Sources(home, assignments=("run.seed=2", "run.max_images=20"), flags=(Stated("run.seed", 3, "--seed"),))

    configuration = load_configuration(sources)

    assert configuration.settings.run.seed == 3
    assert configuration.settings.run.max_images == 20
    assert configuration.settings.dreamer.steps == 3
    keys = ("run.seed", "run.max_images", "dreamer.steps", "dreamer.rate_hz")
    assert [configuration.origins[key] for key in keys] == ["--seed", "--set", str(path), "default"]


def test_a_config_folder_stands_instead_of_the_one_in_home(home, tmp_path):
    write(home.config, "[run]\nseed = 1\n[dreamer]\nsteps = 3\n")
    write(tmp_path / "other", "[run]\nseed = 5\n")

    settings = load_configuration(Sources(home, config=tmp_path / "other")).settings

    assert settings.run.seed == 5
    assert settings.dreamer.steps != 3


@pytest.mark.parametrize(("name", "advice"), [("engine.toml", "name its folder"), ("mine.toml", "call it engine.toml")])
def test_a_config_file_is_refused_and_its_folder_asked_for(home, tmp_path, name, advice):
    (tmp_path / name).write_text("")

    problem = only_problem_of(Sources(home, config=tmp_path / name))

    assert advice in problem and f"--config {tmp_path}" in problem


def test_a_config_folder_without_its_file_is_refused(home, tmp_path):
    problem = only_problem_of(Sources(home, config=tmp_path / "nowhere"))

    assert "nowhere/engine.toml: cannot be read" in problem


def test_equal_settings_have_equal_hashes_whatever_their_origin(home):
    write(home.config, "[run]\nseed = 7\n")

    from_file = load_configuration(Sources(home))
    from_flag = load_configuration(Sources(Home(home.root / "other"), flags=(Stated("run.seed", 7, "--seed"),)))

    assert from_file.sha256 == from_flag.sha256
    assert from_file.sha256 != resolved(Home(home.root / "other")).sha256


def test_a_whole_number_for_a_fraction_hashes_like_the_fraction(home):
    assert resolved(home, "dreamer.rate_hz=10").sha256 == resolved(home, "dreamer.rate_hz=10.0").sha256


def test_canonical_json_holds_every_setting(home):
    configuration = resolved(home)

    assert json.loads(configuration.canonical_json) == configuration.settings.model_dump(mode="json")


@pytest.mark.parametrize(
    ("assignment", "suggestion"),
    [
        ("run.sed=1", "there is no key run.sed; did you mean run.seed?"),
        ("bais.chroma_bins=1", "there is no section [bais]; did you mean bias.chroma_bins?"),
        ("bais.bins=1", "there is no section [bais]; did you mean [bias]?"),
        ("learner.seed=1", "there is no key learner.seed; did you mean run.seed?"),
        ("run.zzzzzz=1", "there is no key run.zzzzzz"),
    ],
)
def test_an_unknown_name_is_refused_with_the_nearest_known_one(home, assignment, suggestion):
    assert only_problem_of(Sources(home, assignments=(assignment,))).endswith(suggestion)


def test_an_unknown_section_and_key_of_a_file_are_named_with_the_file(home):
    path = write(home.config, "[biass]\nmin_feedback = 1\n[bias]\nmin_feedbak = 1\n")

    assert problems_of(Sources(home)) == (
        f"{path}: there is no section [biass]; did you mean [bias]?",
        f"{path}: there is no key bias.min_feedbak; did you mean bias.min_feedback?",
    )


@pytest.mark.parametrize(
    ("assignment", "range_in_words"),
    [
        ("bias.chroma_bins=0", "a whole number from 1 to 360"),
        ("bias.chroma_bins=361", "a whole number from 1 to 360"),
        ("bias.chroma_bins=24.5", "a whole number from 1 to 360"),
        ("bias.chroma_bins=true", "a whole number from 1 to 360"),
        ("dreamer.rate_hz=true", "a finite number from 0 to 10000"),
        ("dreamer.rate_hz=nan", "a finite number from 0 to 10000"),
        ("dreamer.rate_hz=inf", "a finite number from 0 to 10000"),
        ("dreamer.rate_hz=fast", "a finite number from 0 to 10000"),
        ("interface.recency_decay=-0.1", "a finite number of at least 0"),
        ("learner.recent_days=0", "a finite number above 0"),
        ("pool.page_size_bytes=5000", "one of 4096, 8192, 16384, 32768, 65536"),
        ("pool.page_size_bytes=true", "one of 4096, 8192, 16384, 32768, 65536"),
        ("pool.coherence_threshold=high", "a finite number from 0 to 1, or 'calibrated'"),
        ("journal.fsync=never", "one of process, power"),
        ("run.seed=[1]", "a whole number from 0 to 9223372036854775807"),
        ("run.seed=2020-01-01", "a whole number from 0 to 9223372036854775807"),
    ],
)
def test_a_value_out_of_range_is_refused_with_the_range(home, assignment, range_in_words):
    key = assignment.split("=")[0]

    problem = only_problem_of(Sources(home, assignments=(assignment,)))

    assert problem.startswith(f"--set: {key} = ")
    assert problem.endswith(f"allowed is {range_in_words}")


@pytest.mark.parametrize("key", known_keys())
def test_what_is_allowed_can_be_said_of_every_key(key):
    assert allowed(key)


def test_all_problems_are_told_at_once(home):
    path = write(home.config, '[run]\nseed = -1\nsed = 2\n[journal]\nfsync = "never"\n')
    sources = Sources(home, assignments=("bias.max_step=2", "nonsense"))

    problems = problems_of(sources)

    assert len(problems) == 5
    for part in (f"{path}: run.seed = -1", "run.sed", "journal.fsync", "bias.max_step = 2", "nonsense"):
        assert any(part in problem for problem in problems), part


def test_broken_toml_is_named_with_its_line(home):
    path = write(home.config, "[run]\nseed = = 1\n")

    problem = only_problem_of(Sources(home))

    assert problem.startswith(f"{path}: is not TOML")
    assert "line 2" in problem


def test_a_file_that_is_no_text_is_refused(home):
    write(home.config, "")
    (home.config / "engine.toml").write_bytes(b"[run]\nimages = '\xff'\n")

    assert "is not UTF-8 text (byte 16)" in only_problem_of(Sources(home))


def test_a_value_where_a_section_belongs_is_refused(home):
    write(home.config, "run = 3\n")

    assert "run = 3 is a value; [run] is a section of keys" in only_problem_of(Sources(home))


@pytest.mark.parametrize("assignment", ["run.seed", "seed=1", "=1", ""])
def test_an_assignment_of_another_form_is_refused_with_an_example(home, assignment):
    assert "write it as section.key=value" in only_problem_of(Sources(home, assignments=(assignment,)))


def test_an_assignment_cannot_smuggle_in_a_second_one(home):
    problem = only_problem_of(Sources(home, assignments=("run.seed=1\nother = 2",)))

    assert problem.startswith("--set: run.seed = ")


def test_a_bare_word_is_text_and_a_folder_may_be_named_by_a_number(home, tmp_path):
    (tmp_path / "2024").mkdir()
    write(tmp_path, '[run]\nimages = "2024"\n[interface]\n')

    settings = load_configuration(
        Sources(home, config=tmp_path, assignments=("interface.retrieval_default=cosine",))
    ).settings

    assert settings.interface.retrieval_default == "cosine"
    assert settings.run.images == str(tmp_path / "2024")


def test_a_relative_path_is_taken_from_where_it_is_stated(home, tmp_path, monkeypatch):
    (tmp_path / "here" / "pictures").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "here")

    by_assignment = resolved(home, "run.images=pictures").settings.run.images
    by_flag = load_configuration(Sources(home, flags=(Stated("run.images", "pictures", "--images"),)))

    assert by_assignment == by_flag.settings.run.images == str(tmp_path / "here" / "pictures")


def test_folders_and_files_that_are_not_there_are_named(home, tmp_path):
    assignments = (
        f"run.images={tmp_path / 'none'}",
        f"run.factoids={tmp_path}",
        f"regimes.sensor_root={tmp_path / 'no-such-sys'}",
    )

    problems = problems_of(Sources(home, assignments=assignments))

    assert "is not a folder that can be read" in problems[0]
    assert "is not a file that can be read" in problems[1]
    assert "is not a folder that can be read; name one that is laid out as /sys" in problems[2]


@pytest.mark.parametrize(
    ("assignment", "contradicted"),
    [
        ("supervisor.backoff_first_s=50", "supervisor.backoff_max_s = 30.0"),
        ("supervisor.disk_stop_mib=4096", "supervisor.disk_warn_mib = 2048"),
    ],
)
def test_values_that_contradict_each_other_are_refused(home, assignment, contradicted):
    assert only_problem_of(Sources(home, assignments=(assignment,))).endswith(f"is more than {contradicted}")


def test_the_packaged_file_states_every_key_once():
    text = default_file().read_text(encoding="utf-8")

    for key in known_keys():
        name = key.split(".")[1]
        expected = sum(other.split(".")[1] == name for other in known_keys())
        assert sum(line.startswith(f"{name} = ") for line in text.splitlines()) == expected, key
