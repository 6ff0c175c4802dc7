"""The parts of the kernels do what they are timed for."""

import json
import threading
import time

import numpy as np
import pytest
import zstandard

from actors.regime_runner.workloads import command_line, files, voice
from actors.regime_runner.workloads.audio import RATE, Filter, graph_of, serve
from actors.regime_runner.workloads.conversation import Answer, Client
from actors.regime_runner.workloads.crunching import Cruncher
from actors.regime_runner.workloads.forking import run_forked
from actors.regime_runner.workloads.library import passages
from actors.regime_runner.workloads.memory import Worker
from actors.regime_runner.workloads.pacing import Pace, run
from actors.regime_runner.workloads.prose import prose
from actors.regime_runner.workloads.resampling import Resampler
from actors.regime_runner.workloads.retrieval import Retriever
from actors.regime_runner.workloads.sampling import MAX_SAMPLES, Samples, Tally, merged, tell
from actors.regime_runner.workloads.textfield import TextField
from schemas.regime_programs import KERNELS, PROGRAMS


def options_of(kernel, *arguments):
    """The options of a kernel."""
    return command_line.read(kernel, list(arguments))


def test_latency_of_an_open_loop_counts_from_the_intended_beginning():
    # dossier, fault 8: coordinated omission
    tally, _ = run(lambda _worker: time.sleep(0.05) or 0, Pace(seconds=0.2, rate=100))

    waits = np.diff(tally.samples.kept)
    assert tally.samples.count == 20
    assert tally.units < 20
    assert tally.samples.kept[3] > 150
    assert np.median(waits[:3]) == pytest.approx(40, abs=15)


def test_a_closed_loop_has_no_pause():
    tally, elapsed = run(lambda _worker: time.sleep(0.002) or 0, Pace(seconds=0.05))

    assert tally.units == tally.samples.count > 1
    assert sum(tally.samples.kept) / 1000 == pytest.approx(elapsed, rel=0.01)


@pytest.mark.parametrize("threads", [1, 3])
def test_threads_are_as_many_as_are_asked_for(threads):
    # issue 6, shown 7; the benchmark `trialling` shows their processor time
    seen = set()

    run(lambda worker: seen.add((worker, threading.get_ident())) or 0, Pace(seconds=0.02, rate=500), threads)

    assert sorted(worker for worker, _ in seen) == list(range(threads))
    assert len({ident for _, ident in seen}) == threads


def test_units_that_fail_are_errors_and_no_work():
    tally, _ = run(lambda _worker: 1, Pace(seconds=0.02, rate=500), threads=2)

    assert (tally.units, tally.errors) == (0, 10)


@pytest.mark.parametrize(
    ("pace", "intended"),
    [
        (Pace(1, rate=4), [0, 0.25, 0.5, 0.75, 1.0]),
        (Pace(1, rate=4, wave_s=1), [0, 0.125, 0.25, 0.375, 1.0]),
    ],
)
def test_a_square_wave_has_the_same_work_in_half_of_the_time(pace, intended):
    assert [pace.intended_s(index) for index in range(5)] == intended


def test_a_burst_keeps_work_back_and_never_brings_it_forward():
    pace = Pace(1, rate=100, burst_s=0.05)

    assert [pace.begin_s(at) for at in (0.0, 0.01, 0.05, 0.051)] == pytest.approx([0.0, 0.05, 0.05, 0.1])


def test_samples_are_thinned_evenly_and_say_so():
    samples = Samples(limit=100)
    for number in range(1000):
        samples.add(float(number))

    assert samples.count == 1000
    assert list(samples.kept) == [float(number) for number in range(0, 1000, samples.stride)]
    assert len(samples.kept) < 200


def test_merged_tallies_have_one_stride_and_keep_to_the_limit():
    short, long = Tally(units=1, errors=1), Tally(units=2)
    for number in range(100_000):
        long.samples.add(float(number))
        if number < 1000:
            short.samples.add(float(number))

    whole = merged([short, long])

    assert (whole.units, whole.errors, whole.samples.count) == (3, 1, 101_000)
    assert len(whole.samples.kept) <= MAX_SAMPLES
    assert sum(sample < 1000 for sample in whole.samples.kept) == pytest.approx(2000 / whole.samples.stride, abs=2)


def test_a_kernel_prints_one_line_of_json(capsys):
    tally = Tally(units=3.0, figures={"ratio": 2.0})
    tally.samples.add(1.23456789)

    tell(tally, "units/s", 2.0)

    (line,) = capsys.readouterr().out.splitlines()
    assert json.loads(line) == {
        "unit": "units/s",
        "perf": 1.5,
        "elapsed_s": 2.0,
        "errors": 0,
        "count": 1,
        "kept_every": 1,
        "samples_ms": [1.23457],
        "figures": {"ratio": 2.0},
    }


@pytest.mark.parametrize(
    "arguments",
    [("--seconds=1",), ("--seconds=1", "--interval-us=x"), ("--seconds=1", "--interval-us=1", "--x=1"), ("--sec=1",)],
)
def test_a_kernel_refuses_what_the_table_does_not_allow(arguments, capsys):
    with pytest.raises(SystemExit) as left:
        options_of("wakeups", *arguments)

    assert left.value.code == 2


def test_every_kernel_of_the_table_is_a_module():
    from importlib.util import find_spec

    missing = [name for name, program in PROGRAMS.items() if program.is_kernel and not find_spec(f"{KERNELS}.{name}")]

    assert missing == []


def test_a_forked_worker_that_dies_is_an_error():
    def die():
        raise SystemExit(3)

    good = Tally(units=2.0, errors=0, figures={"a": 1.0})
    good.samples.add(5.0)

    lived, died = run_forked([lambda: good, die])

    assert (lived.units, lived.errors, list(lived.samples.kept), lived.figures) == (2.0, 0, [5.0], {"a": 1.0})
    assert (died.units, died.errors) == (0.0, 1)


def test_prose_is_the_same_every_time_and_compresses_like_text():
    import zlib

    assert prose(50_000) == prose(50_000)
    assert 2 < 50_000 / len(zlib.compress(prose(50_000))) < 5


def test_a_damaged_piece_is_an_error_of_the_request():
    class Forgetful:
        def compress(self, piece):
            return zstandard.compress(piece[:-1] + b"x")

    assert Cruncher(prose(8192), 4096, zstandard.ZstdCompressor()).request() == 0
    assert Cruncher(prose(8192), 4096, Forgetful()).request() == 1


@pytest.mark.parametrize("method", ["direct", "fft"])
def test_a_filter_is_the_sum_of_products_across_blocks(method):
    noise = np.random.Generator(np.random.Philox(3)).uniform(-1, 1, size=(2, 300))
    chain = Filter(taps=33, channels=2, period=100, method=method)

    made = np.concatenate([chain.process(noise[:, at : at + 100]) for at in (0, 100, 200)], axis=1)

    exact = np.stack([np.convolve(channel, chain.response)[:300] for channel in noise])
    assert np.abs(made - exact).max() < 1e-9


@pytest.mark.parametrize(("kind", "least"), [("linear", 15), ("sinc16", 50), ("sinc64", 90)])
def test_a_wider_resampler_is_truer(kind, least):
    assert least < Resampler(kind, 1).snr_db() < least + 40


def test_a_resampler_gives_the_same_for_any_size_of_block():
    tone = np.sin(np.arange(4800) / 7)[None, :]
    whole, pieces = Resampler("sinc16", 1), Resampler("sinc16", 1)

    once = whole.process(tone)
    parts = np.concatenate([pieces.process(tone[:, at : at + 64]) for at in range(0, 4800, 64)], axis=1)

    assert parts.shape[1] == round(4800 * 147 / 160)
    assert np.allclose(once, parts)


def test_a_period_that_comes_late_is_an_xrun_and_no_work():
    options = options_of("audio", "--seconds=0.05", "--period=256", "--periods=2")
    tally = Tally()

    serve(lambda _block: time.sleep(0.02), options, tally)

    assert tally.figures["xruns"] >= 4
    assert tally.figures["buffer_underruns"] >= 4
    assert tally.units < 5 * 256 / RATE


def test_a_broken_filter_is_an_error(monkeypatch):
    monkeypatch.setattr(Filter, "_direct", lambda self, joined: joined[:, : 1 - len(self.response)])
    options = options_of("audio", "--seconds=1", "--graph=filter", "--taps=32", "--period=64", "--periods=2")

    assert graph_of(options, {})[1] == 1


def test_a_bit_that_falls_over_is_an_error_of_the_memory():
    class Stuck(np.ndarray):
        def fill(self, value):
            super().fill(value)
            self[3] = value + 1

    area = np.zeros(8192, dtype=np.uint8)

    assert Worker(0, area, area.copy(), 4096).verify() == 0
    assert Worker(0, area, area.copy().view(Stuck), 4096).verify() == 1


def test_a_file_that_cannot_be_made_is_an_error_and_so_is_one_beyond_the_bytes(tmp_path):
    clerk = files.Clerk(tmp_path, 0, 1, max_files=1)

    assert [clerk.file(), clerk.file()] == [0, 1]
    assert files.Clerk(tmp_path / "absent", 0, 0, max_files=1).file() == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("said", "understood", "errors"),
    [("a b c", "a b c", 0), ("a b c", "a x c", 1), ("a b c", "", 3), ("a b", "x a b y", 2), ("a b c d", "b c d a", 2)],
)
def test_word_errors_are_the_fewest_changes(said, understood, errors):
    assert voice.word_errors(said, understood) == errors


def test_sound_at_another_rate_is_the_same_sound():
    tone = np.sin(2 * np.pi * 440 / 22_050 * np.arange(22_050))

    made = voice.resampled(tone, 22_050)

    exact = np.sin(2 * np.pi * 440 / 16_000 * np.arange(16_000))
    assert len(made) == 16_000
    assert np.abs(made - exact)[100:-100].max() < 0.01


def test_noise_is_15_db_below_the_voice():
    tone = np.sin(np.arange(16_000) / 5)

    noise = voice.noisy(tone, 1) - tone

    assert 10 * np.log10(np.mean(tone**2) / np.mean(noise**2)) == pytest.approx(15, abs=0.3)


def test_a_synthesiser_that_fails_says_nothing(tmp_path, monkeypatch):
    (tmp_path / "espeak-ng").write_text("#!/bin/sh\nexit 1\n")
    (tmp_path / "espeak-ng").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))

    assert voice.say("hello", 160, tmp_path / "x.wav") is None


def test_a_field_answers_with_as_many_words_and_the_same_again():
    texts = [passage.text for passage in passages()[:50]]

    first, second = (TextField(texts, history=2, seed=1) for _ in range(2))

    replies = [field.reply("Return the name of the file", 30) for field in (first, second)]
    assert len(replies[0].split()) == 30
    assert replies[0] == replies[1]
    assert first.reply("Return the name of the file", 30) != replies[0]


def test_what_was_said_before_draws_the_next_reply():
    texts = [passage.text for passage in passages()[:50]]
    forgetful, mindful = (TextField(texts, history=turns, seed=1) for turns in (0, 4))

    for field in (forgetful, mindful):
        field.reply("Return the path of the file that was opened", 60)

    assert forgetful.reply("x", 60) != mindful.reply("x", 60)


def test_retrieval_finds_a_passage_by_its_words_and_by_parts_of_them():
    retriever = Retriever(["the cat sat on the mat", "dogs are barking loudly", "nothing of interest"])

    assert retriever.find("a barking dog", top_k=1, rrf_k=60) == [1]
    assert retriever.find("the cats", top_k=2, rrf_k=60)[0] == 0
    assert retriever.find("? !", top_k=3, rrf_k=60) == []


@pytest.mark.parametrize("answer", [Answer("", False), OSError("gone"), ValueError("no JSON")])
def test_a_partner_that_does_not_answer_is_an_error(answer):
    class Silent:
        def ask(self, prompt, words):
            if isinstance(answer, Exception):
                raise answer
            return answer

    client = Client(Silent(), [0], [30])

    assert (client.turn(), client.failures) == (1, 1)
