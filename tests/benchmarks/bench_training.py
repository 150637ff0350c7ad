"""dseq's `fit` against PyTorch and Keras on JAX: the time of a training step, measured in turn, in one table.

python tests/benchmarks/bench_training.py
python tests/benchmarks/bench_training.py small --no-ranks

Each framework has a process of its own with one thread on one core. Pairs of measurements alternate, A B A B, and
the ratio is the median of the pairs' ratios: load from elsewhere then falls on both. dseq and Keras call `fit` with
accuracy as a metric, and epochs are timed from the second on. PyTorch runs a loop written by hand without metrics, at
its fastest settings. On several ranks the batch is the global one.
"""

import argparse
import contextlib
import importlib.metadata
import importlib.util
import math
import os
import platform
import shutil
import statistics
import subprocess
import sys
from pathlib import Path

import peer_keras
import peer_torch
import roofline
from networks import NETWORKS, RANKED
from worker import SINGLE_THREADED, Worker

HERE = Path(__file__).parent
PEERS = {
    "PyTorch": (("torch",), HERE / "peer_torch.py", peer_torch.INSTALL),
    "Keras-JAX": (("keras", "jax"), HERE / "peer_keras.py", peer_keras.INSTALL),
}
# The fastest of each, by a short trial per network; `peer_torch.py` and `peer_keras.py` show all of them.
VARIANTS = {
    "PyTorch": {"PyTorch, fused Adam": {"adam": "fused"}},
    "Keras-JAX": {f"Keras-JAX, {steps} per call": {"steps_per_execution": steps} for steps in (8, 32)},
}


def machine():
    """One line on where the numbers come from."""
    model = platform.processor()
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        model = next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        pass
    versions = [f"Python {platform.python_version()}"]
    for name in ("dseq", "numpy", "numba", "torch", "keras", "jax", "mpi4py"):
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            versions.append(f"{name} {importlib.metadata.version(name)}")
    return f"{model or platform.machine()}, {os.cpu_count()} cores; {', '.join(versions)}"


def installed(modules):
    return all(importlib.util.find_spec(module) for module in modules)


def numbers(command, count):
    """Runs a command and returns the last `count` numbers it prints."""
    done = subprocess.run(
        command, capture_output=True, text=True, env=os.environ | SINGLE_THREADED, timeout=120, check=False
    )
    if done.returncode:
        sys.exit(f"{' '.join(map(str, command))} failed:\n{done.stderr}")
    return [float(word) for word in done.stdout.split()[-count:]]


def medians(times):
    """Of pairs (our time, the peer's): the median of ours, of theirs, and of their ratios."""
    own, peer = zip(*times, strict=True)
    return statistics.median(own), statistics.median(peer), statistics.median(p / o for o, p in times)


class Table:
    WIDTHS = "{:28}{:>6}{:>6}{:>14}  {:26}{:>14}{:>8}{:>9}{:>8}"

    def __init__(self, peak):
        self.peak = peak
        titles = ("dseq us/step", "peer", "peer us/step", "ratio", "GFLOP/s", "of FMA")
        print(self.WIDTHS.format("model", "batch", "ranks", *titles))

    def row(self, network, ranks, own, peer="", theirs=math.nan, ratio=math.nan):
        rate = network.operations / own / 1e3
        share = f"{rate / self.peak / ranks:.0%}"
        columns = (f"{own:.0f}", peer, f"{theirs:.0f}", f"{ratio:.2f}", f"{rate:.0f}", share)
        print(self.WIDTHS.format(network.title, network.batch, ranks, *columns), flush=True)


def alone(table, names, peers, pairs, seconds):
    """One rank: every network against every peer at its fastest settings."""
    dseq = Worker(HERE / "own_dseq.py")
    workers = {name: Worker(PEERS[name][1]) for name in peers}
    for name in names:
        network = NETWORKS[name]
        if not workers:
            table.row(network, 1, dseq.microseconds(seconds, network=name))
        for peer, worker in workers.items():
            trials = {}
            for how, options in VARIANTS[peer].items():
                trials[how] = worker.microseconds(seconds / 2, network=name, **options)
            how = min(trials, key=trials.get)
            times = []
            for _ in range(pairs):
                own = dseq.microseconds(seconds, network=name)
                times.append((own, worker.microseconds(seconds, network=name, **VARIANTS[peer][how])))
            own, theirs, ratio = medians(times)
            table.row(network, 1, own, how, theirs, ratio)
    for worker in (dseq, *workers.values()):
        worker.close()


def together(table, names, ranks, pairs):
    """Several ranks: dseq under mpirun against DistributedDataParallel over gloo, a job per measurement."""
    mpirun = shutil.which("mpirun", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}")
    if not mpirun or not installed(("mpi4py",)):
        print("Several ranks are skipped, MPI is not installed: pip install mpi4py mpich")
        return
    own = (mpirun, "-n", str(ranks), sys.executable, HERE / "own_dseq.py", *names)
    peer = (sys.executable, HERE / "peer_torch.py", "--ddp", str(ranks), *names)
    if not installed(("torch",)):
        for name, time in zip(names, numbers(own, len(names)), strict=True):
            table.row(RANKED[name], ranks, time)
        return
    rounds = [(numbers(own, len(names)), numbers(peer, len(names))) for _ in range(pairs)]
    for index, name in enumerate(names):
        time, theirs, ratio = medians([(ours[index], others[index]) for ours, others in rounds])
        table.row(RANKED[name], ranks, time, "PyTorch DDP, gloo", theirs, ratio)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("networks", nargs="*", help=f"some of {', '.join(NETWORKS)}; default: all")
    parser.add_argument("--pairs", type=int, default=5, help="pairs of measurements per row; default: 5")
    parser.add_argument("--seconds", type=float, default=0.5, help="length of a measurement; default: 0.5")
    parser.add_argument("--ranks", type=int, default=2, help="ranks of the rows against DDP; default: 2")
    parser.add_argument("--no-ranks", action="store_true", help="one rank only")
    parser.add_argument(
        "--processor-time", action="store_true", help="not wall time; for a machine that is busy; implies --no-ranks"
    )
    arguments = parser.parse_args()
    names = arguments.networks or list(NETWORKS)
    if unknown := set(names) - set(NETWORKS):
        parser.error(f"networks must be among {', '.join(NETWORKS)}. Received: {', '.join(unknown)}")

    if arguments.processor_time:
        os.environ["BENCH_CLOCK"] = "processor"
    clock = "processor" if arguments.processor_time else "wall"
    peak = roofline.gigaflops()
    print(machine())
    print(f"float32, one thread per rank, {clock} time; FMA roofline {peak:.0f} GFLOP/s per core; ratio = peer / dseq")
    peers = []
    for name, (modules, _, install) in PEERS.items():
        if installed(modules):
            peers.append(name)
        else:
            print(f"{name} is skipped, it is not installed: {install}")
    table = Table(peak)
    alone(table, names, peers, arguments.pairs, arguments.seconds)
    ranked = [name for name in names if name in RANKED]
    if ranked and not arguments.no_ranks and not arguments.processor_time:
        together(table, ranked, arguments.ranks, min(3, arguments.pairs))


if __name__ == "__main__":
    main()
