"""Every DSEQ_* variable: its name, default and meaning, read and checked once at import.

| variable | default | meaning |
|---|---|---|
| `DSEQ_CACHE` | `$XDG_CACHE_HOME/dseq` or `~/.cache/dseq` | folder of compiled kernels; made private to its owner |
| `DSEQ_MPI` | `auto` | `auto`: use MPI when a launcher started us; `off`: never; `on`: always |
| `DSEQ_ABORT` | `on` | `on`: an exception on one rank ends the whole job; `off`: leave it to MPI |
| `DSEQ_ENGINE` | `auto` | how ranks sum gradients and update: `flat`, each on its own; `node`, in one copy of the |
| | | parameters that all ranks of a node share; `solo`, for one rank; `auto`: `node` if ranks share a node |
| `DSEQ_NODE_RANKS` | `0` | so many ranks of a machine are a node, as those of a socket may be; 0: all of them |
| `DSEQ_STRICT` | `0` | 1: the same bits on any number of ranks, for models whose `compile` does not say; see README |
| `DSEQ_SHARDS` | `8` | strict mode: the number of shards each batch is divided into; results depend on it |
| `DSEQ_NUM_THREADS` | `1` | threads of each rank, or `auto`: as many as the rank has cores; more than one takes |
| | | strict mode |
| `DSEQ_CHECK_EVERY` | `500` | every weight is compared between ranks once in so many steps; 0: never |
| `DSEQ_DESYNC` | `end` | when ranks' weights differ: `end` the job, or `restore` those that most ranks have |
| `DSEQ_TIMEOUT` | `600` | seconds without progress after which a job of several ranks is ended; 0: never |
| `DSEQ_EMERGENCY` | none | folder for the state of training when a signal or a hang ends a `fit` that has no |
| | | `BackupAndRestore`; pass one of that folder to go on from there |
| `DSEQ_ISA` | `auto` | register tile of the matrix kernel: `auto`, `avx512`, `avx2`, `neon`, `plain` |
| `DSEQ_CONVOLUTION` | `auto` | `auto`: 3 x 3 taps by Winograd's tiles where faster; `direct`: sums over windows |
| `DSEQ_TIMELINE` | none | file for the times of all ranks in each step, which Chrome and Perfetto draw |
| `DSEQ_DEBUG` | `0` | 1: say which kernels are compiled or loaded, which engine trains, and after each epoch where |
| | | the time went; 2: also print each plan |
"""

import os
from pathlib import Path

CHOICES = {
    "DSEQ_MPI": ("auto", "off", "on"),
    "DSEQ_ABORT": ("on", "off"),
    "DSEQ_ENGINE": ("auto", "solo", "flat", "node"),
    "DSEQ_STRICT": ("0", "1"),
    "DSEQ_DESYNC": ("end", "restore"),
    "DSEQ_ISA": ("auto", "avx512", "avx2", "neon", "plain"),
    "DSEQ_CONVOLUTION": ("auto", "direct"),
    "DSEQ_DEBUG": ("0", "1", "2"),
}


def _read(name: str) -> str:
    """The value of an environment variable that has a fixed list of choices."""
    choices = CHOICES[name]
    value = os.environ.get(name, "").strip().lower() or choices[0]
    if value not in choices:
        raise ValueError(f"{name} must be one of {', '.join(choices)}. Received: {value!r}")
    return value


def _read_count(name: str, default: int, least=0, auto=None) -> int:
    """The value of an environment variable that is a number from `least` on, or that of the word auto."""
    value = os.environ.get(name, "").strip().lower() or str(default)
    if auto is not None and value == "auto":
        return auto
    if not value.isdecimal() or int(value) < least:
        word = "" if auto is None else " or auto"
        raise ValueError(f"{name} must be a number from {least} on{word}. Received: {value!r}")
    return int(value)


def _read_seconds(name: str, default: float) -> float:
    """The value of an environment variable that is a number of seconds."""
    text = os.environ.get(name, "").strip() or str(default)
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < float("inf"):
        raise ValueError(f"{name} must be a number of seconds, 0 or more. Received: {text!r}")
    return value


def _default_cache() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    # Absolute: a script may change its folder later, and ranks of one job may be started in different ones.
    return Path(os.environ.get("DSEQ_CACHE") or Path(base) / "dseq").expanduser().absolute()


cache = _default_cache()
mpi = _read("DSEQ_MPI")
abort = _read("DSEQ_ABORT") == "on"
engine = _read("DSEQ_ENGINE")
strict = _read("DSEQ_STRICT") == "1"
shards = _read_count("DSEQ_SHARDS", 8, 1)
threads = _read_count("DSEQ_NUM_THREADS", 1, 1, auto=0)
node_ranks = _read_count("DSEQ_NODE_RANKS", 0)
check_every = _read_count("DSEQ_CHECK_EVERY", 500)
desync = _read("DSEQ_DESYNC")
timeout = _read_seconds("DSEQ_TIMEOUT", 600)
emergency = os.environ.get("DSEQ_EMERGENCY", "").strip()
isa = _read("DSEQ_ISA")
convolution = _read("DSEQ_CONVOLUTION")
timeline = os.environ.get("DSEQ_TIMELINE", "").strip()
debug = int(_read("DSEQ_DEBUG"))

# What must be the same on all ranks of a job; `DSEQ_STRICT` and the like become part of a model.
COMMON = (("DSEQ_ENGINE", engine), ("DSEQ_NODE_RANKS", node_ranks), ("DSEQ_CHECK_EVERY", check_every))
COMMON += (("DSEQ_TIMELINE or DSEQ_DEBUG", bool(timeline or debug)), ("DSEQ_DESYNC", desync))

KERAS = ("floatx", "set_floatx", "epsilon", "set_epsilon", "image_data_format", "set_image_data_format")


def __getattr__(name):
    """Keras' `config` functions; looked up late, as kernels read this module before anything else exists."""
    if name in KERAS:
        from dseq.program import floatx

        return getattr(floatx, name)
    raise AttributeError(f"module 'dseq.config' has no attribute {name!r}")
