"""How soon training starts: import, and process start to the first trained step, for dseq and its peers.

python tests/benchmarks/bench_startup.py

The network is 784-128-10 with Adam. Cold: nothing compiled is on disk (a new DSEQ_CACHE; no JAX compilation cache).
Warm: a process before has left its cache. Files are in the operating system's memory in both cases. PyTorch compiles
nothing. Medians of several processes, in turn.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench_training import PEERS, installed, machine
from worker import SINGLE_THREADED

HERE = Path(__file__).parent
IMPORT = "import time; start = time.perf_counter(); import {}; print(time.perf_counter() - start)"
FRAMEWORKS = {"dseq": ("dseq", "dseq"), "PyTorch": ("torch", "torch"), "Keras-JAX": ("keras", "keras")}


def import_seconds(module, environment):
    done = subprocess.run(
        [sys.executable, "-c", IMPORT.format(module)], capture_output=True, env=environment, check=True
    )
    return float(done.stdout.split()[-1])


def first_step_seconds(framework, environment):
    """From starting the process until it says that it has trained; its end is not part of it."""
    command = [sys.executable, str(HERE / "first_step.py"), framework]
    start = time.perf_counter()
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    ) as process:
        trained = any(line.strip() == "trained" for line in process.stdout)
        seconds = time.perf_counter() - start
        errors = process.communicate()[1]
    if not trained or process.returncode:
        sys.exit(f"{' '.join(command)} failed:\n{errors}")
    return seconds


def caches(folder):
    """Variables that make a framework keep compiled code in a folder."""
    return (
        os.environ
        | SINGLE_THREADED
        | {
            "DSEQ_CACHE": str(folder),
            "JAX_COMPILATION_CACHE_DIR": str(Path(folder) / "jax"),
            "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
            "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "0",
        }
    )


def measure(framework, module, warm_folder):
    """Seconds of: import, first step cold, first step warm. The caller has filled `warm_folder` once."""
    warm = caches(warm_folder)
    with tempfile.TemporaryDirectory() as folder:
        cold = first_step_seconds(framework, caches(folder))
    return import_seconds(module, warm), cold, first_step_seconds(framework, warm)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3, help="processes per number; default: 3")
    rounds = parser.parse_args().rounds

    print(machine())
    frameworks = dict(FRAMEWORKS)
    for name, (modules, _, install) in PEERS.items():
        if not installed(modules):
            print(f"{name} is skipped, it is not installed: {install}")
            del frameworks[name]
    with tempfile.TemporaryDirectory() as folder:
        results = {name: [] for name in frameworks}
        for name, (framework, _) in frameworks.items():
            first_step_seconds(framework, caches(Path(folder) / name))  # fills caches, ours and the system's
        for _ in range(rounds):
            for name, (framework, module) in frameworks.items():
                results[name].append(measure(framework, module, Path(folder) / name))
    print(f"{'seconds, median of ' + str(rounds):28}{'import':>8}{'first step, cold':>18}{'first step, warm':>18}")
    for name, rows in results.items():
        middle = [statistics.median(column) for column in zip(*rows, strict=True)]
        print(f"{name:28}{middle[0]:>8.2f}{middle[1]:>18.2f}{middle[2]:>18.2f}")


if __name__ == "__main__":
    main()
