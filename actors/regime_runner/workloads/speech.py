"""Speech that is synthesised and heard again: espeak-ng says fixed phrases, pocketsphinx decodes them piece by piece.

In: silence, phrases, or phrases in noise; beams, states, the size of a piece, workers. Out: seconds of audio that were
decoded for each second, the time of each phrase, the word error rate, phrases that could not be said or were not
understood at all. Every worker is a process with a fresh decoder, since a decoder adapts to what it has heard.
"""

import importlib
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from actors.regime_runner.workloads.command_line import Options, read
from actors.regime_runner.workloads.forking import run_forked
from actors.regime_runner.workloads.sampling import Tally, leave_unavailable, merged, tell
from actors.regime_runner.workloads.voice import HEARD_HZ, PHRASES, heard, noisy, say, word_errors

RECOGNISER: Final = "pocketsphinx"
SILENCE_S: Final = 2
SAMPLE_BYTES: Final = 2
SPENT: Final = "spent_s"
"""Figure of a worker: how long it listened."""
FEWEST: Final = 2
"""Phrases of the shortest trial; a longer one has as many as it has seconds, up to all of them."""


def decoder_of(options: Options) -> Any:
    """A fresh decoder with the model of the package."""
    return importlib.import_module(RECOGNISER).Decoder(
        samprate=float(HEARD_HZ),
        beam=10.0 ** options.whole("beam-exp"),
        wbeam=10.0 ** options.whole("wbeam-exp"),
        pbeam=10.0 ** options.whole("beam-exp"),
        maxhmmpf=options.whole("max-hmms"),
        loglevel="FATAL",
    )


def decode(decoder: Any, sound: bytes, piece: int) -> str:
    """What the decoder understands of `sound`, given in pieces of `piece` bytes."""
    decoder.start_utt()
    for begin in range(0, len(sound), piece):
        decoder.process_raw(sound[begin : begin + piece], False, False)
    decoder.end_utt()
    understood = decoder.hyp()
    return understood.hypstr if understood is not None else ""


def listen(sounds: Sequence[tuple[str, bytes]], options: Options) -> Tally:
    """Decode the sounds in their order, again and again, until the time is over: each at least once."""
    decoder, tally = decoder_of(options), Tally()
    piece = HEARD_HZ * SAMPLE_BYTES * options.whole("chunk-ms") // 1000
    wrong, words, missed = 0, 0, 0
    begun = time.monotonic()
    end, count = begun + options.number("seconds"), 0
    while count < len(sounds) or time.monotonic() < end:
        phrase, sound = sounds[count % len(sounds)]
        start = time.monotonic()
        understood = decode(decoder, sound, piece)
        tally.samples.add((time.monotonic() - start) * 1000)
        tally.units += len(sound) / SAMPLE_BYTES / HEARD_HZ
        if count < len(sounds):
            wrong += word_errors(phrase, understood)
            words += len(phrase.split())
            missed += bool(phrase) and not understood
        count += 1
    tally.errors = missed
    tally.figures = {"wer": wrong / words} if words else {}
    tally.figures |= {"recognition_failures": float(missed), SPENT: time.monotonic() - begun}
    return tally


def sounds_of(options: Options) -> tuple[list[tuple[str, bytes]], int]:
    """What is to be heard, each with what it says, and the number of phrases that could not be said."""
    if options.text("input") == "silence":
        return [("", heard(np.zeros(SILENCE_S * HEARD_HZ)))], 0
    folder, sounds = Path(options.text("folder")), []
    phrases = PHRASES[: max(FEWEST, int(options.number("seconds")))]
    for number, phrase in enumerate(phrases):
        samples = say(phrase, options.whole("wpm"), folder / f"phrase-{number}.wav")
        if samples is not None:
            sounds.append((phrase, heard(noisy(samples, number) if options.text("input") == "noisy" else samples)))
    return sounds, len(phrases) - len(sounds)


def main() -> None:
    """Measure once and tell."""
    options = read("speech")
    try:
        importlib.import_module(RECOGNISER)
    except ImportError as error:
        leave_unavailable(f"pocketsphinx cannot be imported: {error}")
    sounds, unsaid = sounds_of(options)
    tallies = run_forked([lambda: listen(sounds, options)] * options.whole("workers")) if sounds else []
    tally = merged(tallies)
    tally.errors += unsaid
    spent = max((part.figures.get(SPENT, 0.0) for part in tallies), default=0.0)
    missed = sum(part.figures.get("recognition_failures", 0.0) for part in tallies)
    tally.figures |= {"recognition_failures": missed, "synthesis_failures": float(unsaid)}
    tally.figures.pop(SPENT, None)
    tell(tally, "audio s/s", max(spent, 1e-9))


if __name__ == "__main__":
    main()
