"""Sentences as sound: espeak-ng says them, and they come out at the rate that a recogniser hears.

In: sentences, words a minute, a folder. Out: 16-bit samples at 16 kHz, with noise on request. Refused: a synthesiser
that fails or says nothing is counted, never replaced.
"""

import os
import subprocess
import sys
import wave
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

HEARD_HZ: Final = 16_000
NOISE_DB: Final = 15.0
"""How far below the voice the noise is."""
SYNTHESIS_SECONDS: Final = 10.0
"""Longest that one sentence may take to be said."""
NO_SOUND_SERVER: Final = "autospawn = no\nenable-shm = no\n"
"""For the sound library of the synthesiser, which would start a server and map 64 MiB though nothing is played."""
PHRASES: Final = (
    "she will come back next week",
    "we went to the market this morning",
    "there is a small house near the river",
    "the weather is warm today",
    "please open the window",
    "he has to read the whole book",
)


def say(phrase: str, words_per_minute: int, place: Path) -> NDArray[np.float64] | None:
    """The phrase as samples in [-1, 1] at 16 kHz, None where the synthesiser fails."""
    command = ["espeak-ng", "-v", "en-us", "-s", str(words_per_minute), "-w", str(place), phrase]
    quiet = place.with_name("pulse.conf")
    environment = {**os.environ, "PULSE_CLIENTCONFIG": str(quiet)}
    try:
        quiet.write_text(NO_SOUND_SERVER, encoding="ascii")
        subprocess.run(command, stdin=subprocess.DEVNULL, check=True, timeout=SYNTHESIS_SECONDS, env=environment)
        with wave.open(str(place), "rb") as sound:
            frames = np.frombuffer(sound.readframes(sound.getnframes()), dtype="<i2")
            rate = sound.getframerate()
    except (OSError, subprocess.SubprocessError, wave.Error, EOFError) as error:
        sys.stderr.write(f"{phrase!r} cannot be said: {error}\n")
        return None
    return resampled(frames / 32768.0, rate) if len(frames) > rate // 10 else None


def resampled(samples: NDArray[np.float64], rate: int) -> NDArray[np.float64]:
    """The same sound at 16 kHz, by way of its spectrum."""
    size = round(len(samples) * HEARD_HZ / rate)
    spectrum = np.fft.rfft(samples)[: size // 2 + 1]
    return np.fft.irfft(spectrum, size) * (size / len(samples))


def noisy(samples: NDArray[np.float64], seed: int) -> NDArray[np.float64]:
    """The samples with white noise."""
    draws = np.random.Generator(np.random.Philox(seed))
    level = float(np.sqrt(np.mean(samples**2))) * 10 ** (-NOISE_DB / 20)
    return samples + level * draws.standard_normal(len(samples))


def heard(samples: NDArray[np.float64]) -> bytes:
    """What a recogniser is given: 16-bit little-endian samples."""
    return (np.clip(samples, -1.0, 1.0) * 32767).astype("<i2").tobytes()


def word_errors(said: str, understood: str) -> int:
    """Fewest words to insert, remove and replace between the two."""
    ours, theirs = said.split(), understood.split()
    row = list(range(len(theirs) + 1))
    for index, word in enumerate(ours, 1):
        previous, row[0] = row[0], index
        for place, other in enumerate(theirs, 1):
            cost = min(row[place] + 1, row[place - 1] + 1, previous + (word != other))
            previous, row[place] = row[place], cost
    return row[-1]
