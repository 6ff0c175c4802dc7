"""What a regime may start: the programs, the options that each takes, and the values that an option takes.

In: nothing but this table. Out: the rules by which `schemas.regime_settings` judges each argument where it is written,
and from which our own kernels make their command lines. Refused, since they are not here: every other program, every
other option (fio's commands before and after a job, file names, devices), every value that is not a number, a word of
a list or a place below the trial's own folder.
"""

import re
from typing import Final, Literal, NamedTuple

SCRATCH: Final = "{scratch}"
"""Stands in an argument for the trial's private folder; the guard puts the folder in its place."""
PYTHON: Final = "python3"
"""Stands among programs for our own interpreter, which runs the kernels."""
KERNELS: Final = "actors.regime_runner.workloads"
"""Package of our own kernels: child programs that print one JSON object."""

_WHOLE = re.compile(r"[0-9]{1,15}")
_POSITIVE = re.compile(r"0*[1-9][0-9]{0,14}")
_COUNT = re.compile(r"[1-9][0-9]{0,2}")
_SIGNED = re.compile(r"-?[0-9]{1,3}")
_NUMBER = re.compile(r"[0-9]{1,15}(\.[0-9]{1,9})?(e-?[0-9]{1,3})?")
_SIZE = re.compile(r"[0-9]{1,15}[kmgKMG]?")
_DURATION = re.compile(r"[0-9]{1,9}(ms|s)")
_SPLIT = re.compile(r"[0-9]{1,6}[km]/[0-9]{1,3}(:[0-9]{1,6}[km]/[0-9]{1,3})*")
_BELOW = re.compile(re.escape(SCRATCH) + r"(/[a-z0-9][a-z0-9_-]{0,31})?")


class Option(NamedTuple):
    """One option of a program: what its value may be."""

    kind: Literal[
        "flag", "whole", "positive", "count", "signed", "number", "size", "duration", "split", "word", "scratch"
    ]
    words: tuple[str, ...] = ()
    default: str | None = None
    """Of our own kernels: what is meant where the option is absent; None where it must be given."""

    def takes(self, text: str | None) -> bool:
        """Whether `text` (None for an option without a value) is allowed."""
        if self.kind == "flag" or text is None:
            return self.kind == "flag" and text is None
        if self.kind == "word":
            return text in self.words
        return _PATTERNS[self.kind].fullmatch(text) is not None

    def allowed(self) -> str:
        """What may be given, in words."""
        return ", ".join(self.words) if self.kind == "word" else _MEANING[self.kind]


_PATTERNS: Final = {
    "whole": _WHOLE,
    "positive": _POSITIVE,
    "count": _COUNT,
    "signed": _SIGNED,
    "number": _NUMBER,
    "size": _SIZE,
    "duration": _DURATION,
    "split": _SPLIT,
    "scratch": _BELOW,
}
_MEANING: Final = {
    "flag": "no value",
    "whole": "a whole number from 0 on",
    "positive": "a whole number from 1 on",
    "count": "a whole number from 1 to 999",
    "signed": "a whole number from -999 to 999",
    "number": "a number from 0 on",
    "size": "a size such as 64m",
    "duration": "a time such as 1500ms",
    "split": "block sizes with shares, such as 4k/60:64k/40",
    "scratch": "{scratch}, or {scratch}/NAME",
}


class Program(NamedTuple):
    """Something that a trial may start."""

    options: dict[str, Option]
    figures: tuple[str, ...] = ()
    """Figures of quality that its output tells."""
    needs: tuple[str, ...] = ()
    """Of a kernel: programs that it starts itself."""
    modules: tuple[str, ...] = ()
    """Of a kernel: Python modules beyond those that Oneiros depends on."""
    is_kernel: bool = True
    has_gpu: bool = False
    """It needs a GPU that NVML can see."""


def _whole(default: int | None = None) -> Option:
    return Option("whole", default=None if default is None else str(default))


def _positive(default: int | None = None) -> Option:
    return Option("positive", default=None if default is None else str(default))


def _count(default: int | None = None) -> Option:
    return Option("count", default=None if default is None else str(default))


def _word(*words: str, default: str | None = None) -> Option:
    return Option("word", words, words[0] if default is None else default)


_SECONDS = Option("number")
_RATE = Option("number", default="0")
"""Units a second of an open loop; 0 is a closed loop: the next unit begins when the last is done."""

PROGRAMS: Final[dict[str, Program]] = {
    "wakeups": Program({"seconds": _SECONDS, "interval-us": _positive()}),
    "crunching": Program(
        {
            "seconds": _SECONDS,
            "rate": _RATE,
            "threads": _count(1),
            "request-kb": _positive(),
            "chunk-kb": _positive(),
            "zstd-level": Option("signed"),
        },
        ("compression_ratio",),
    ),
    "gpu": Program(
        {
            "seconds": _SECONDS,
            "mode": _word("poll", "serve", "matmul", "mixed"),
            "batch": _positive(1),
            "dtype": _word("float32", "float16", "bfloat16"),
            "streams": _count(1),
            "graphs": _word("off", "on"),
            "tf32": _word("off", "on"),
            "side": _positive(1024),
        },
        ("result_error",),
        modules=("torch",),
        has_gpu=True,
    ),
    "audio": Program(
        {
            "seconds": _SECONDS,
            "graph": _word("null", "filter", "duplex"),
            "channels": _count(2),
            "taps": _positive(512),
            "period": _positive(),
            "periods": _count(),
            "method": _word("direct", "fft"),
            "resampler": _word("linear", "sinc16", "sinc64"),
        },
        ("xruns", "buffer_underruns", "buffer_ms", "load_share", "resampler_snr_db"),
    ),
    "memory": Program(
        {
            "seconds": _SECONDS,
            "pattern": _word("random", "sequential", "verify", "mixed"),
            "rate": _RATE,
            "bytes": _positive(),
            "block-kb": _positive(),
            "threads": _count(1),
            "thp": _word("default", "hugepage", "nohugepage"),
            "prefault": _word("off", "on"),
        },
    ),
    "files": Program(
        {
            "seconds": _SECONDS,
            "rate": _RATE,
            "threads": _count(1),
            "fsync-every": _whole(0),
            "bytes": _positive(),
            "folder": Option("scratch"),
        },
        ("write_error_rate",),
    ),
    "speech": Program(
        {
            "seconds": _SECONDS,
            "input": _word("silence", "phrases", "noisy"),
            "workers": _count(1),
            "beam-exp": Option("signed"),
            "wbeam-exp": Option("signed"),
            "max-hmms": _positive(),
            "chunk-ms": _positive(),
            "wpm": _positive(160),
            "folder": Option("scratch"),
        },
        ("wer", "recognition_failures", "synthesis_failures"),
        needs=("espeak-ng",),
        modules=("pocketsphinx",),
    ),
    "bursts": Program(
        {
            "seconds": _SECONDS,
            "rate": _RATE,
            "wave": _word("even", "square"),
            "threads": _count(1),
            "burst-ms": _whole(0),
            "chunk-kb": _positive(),
        },
    ),
    "pipes": Program({"seconds": _SECONDS, "pairs": _count(), "batch": _positive()}),
    "conversation": Program(
        {
            "seconds": _SECONDS,
            "rate": _RATE,
            "clients": _count(1),
            "short-share": _whole(100),
            "short-words": _positive(30),
            "long-words": _positive(200),
            "reply-cap": _positive(),
            "history": _whole(),
            "workers": _count(1),
            "retrieval": _word("off", "on"),
            "top-k": _positive(5),
            "rrf-k": _positive(60),
        },
        ("reply_words", "recall", "llm_errors", "tts_errors"),
    ),
    "fio": Program(
        {
            "name": Option("word", ("probe",)),
            "directory": Option("scratch"),
            "rw": Option("word", ("read", "write", "randread", "randwrite", "rw", "randrw")),
            "rwmixread": _whole(),
            "bs": Option("size"),
            "bssplit": Option("split"),
            "size": Option("size"),
            "io_size": Option("size"),
            "ioengine": Option("word", ("psync", "libaio", "io_uring")),
            "iodepth": _positive(),
            "direct": Option("word", ("0", "1")),
            "fsync": _whole(),
            "end_fsync": Option("word", ("0", "1")),
            "numjobs": _count(),
            "runtime": Option("duration"),
            "unlink": Option("word", ("1",)),
            "randrepeat": Option("word", ("0", "1")),
            "thread": Option("flag"),
            "group_reporting": Option("flag"),
            "output-format": Option("word", ("json+",)),
        },
        ("write_error_rate",),
        is_kernel=False,
    ),
    "cyclictest": Program(
        {
            "quiet": Option("flag"),
            "default-system": Option("flag"),
            "duration": _positive(),
            "interval": _positive(),
            "policy": Option("word", ("other", "batch", "idle")),
            "threads": _count(),
            "histogram": _whole(),
            "histfile": Option("word", ("/dev/null",)),
            "json": Option("word", ("/dev/stdout",)),
        },
        is_kernel=False,
    ),
    "stress-ng": Program(
        {
            "cpu": _count(),
            "vm": _count(),
            "vm-bytes": Option("size"),
            "switch": _count(),
            "timeout": _positive(),
            "temp-path": Option("scratch"),
            "quiet": Option("flag"),
        },
        is_kernel=False,
    ),
}
"""Program -> its rules. A kernel's name is that of its module in `KERNELS`; the others are looked up on PATH."""

PACKAGES: Final = {
    "fio": "fio",
    "cyclictest": "rt-tests",
    "stress-ng": "stress-ng",
    "espeak-ng": "espeak-ng",
    PYTHON: PYTHON,
    "torch": "pip: torch",
    "pocketsphinx": "pip: pocketsphinx",
}
"""Tool or module -> what to install where it is absent: a package of Debian, or `pip: NAME`."""
DRIVER: Final = "an NVIDIA driver with NVML"
"""What to install where NVML sees no GPU."""
BACKGROUND: Final = ("stress-ng",)
"""Programs that may run beside the measured one: they make load and measure nothing."""
FOREGROUND: Final = tuple(name for name in PROGRAMS if name not in BACKGROUND)
"""Programs that measure: each has a parser."""
ENVIRONMENT: Final = ("MALLOC_ARENA_MAX", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
"""Variables that a regime may set; each takes a whole number."""
