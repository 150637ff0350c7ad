"""Whole training steps of convolutional networks against PyTorch and TensorFlow, and where the time goes.

python tests/benchmarks/bench_convnets.py [names] [--torch PYTHON] [--tensorflow PYTHON] [--ranks 2] [--memory]

Each peer runs in an interpreter of its own, which may be of another environment, in whichever of its ways is fastest
(PyTorch: channels_last or not, Adam fused or not; Keras on TensorFlow: XLA or not, one or several steps a call). All
have one thread. Frameworks take turns; times are of the processor, as other programs may be running, and ratios are
medians of those of the rounds. On several ranks the batch is the global one and times are by the clock on the wall.

PyTorch's time for the small net depends on whether the C library gives freed memory back to the system: with
`MALLOC_MMAP_MAX_=0 MALLOC_TRIM_THRESHOLD_=10000000000` in the environment it never does.
"""

import os

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[name] = "1"

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path

import calls
import peer_convnets_tensorflow
import peer_convnets_torch
import roofline
from convnets import NETWORKS, STEPS, build, data, growth, shortest, steps_at_once

HERE = Path(__file__).parent
PEERS = {"PyTorch": ("torch", peer_convnets_torch), "TensorFlow": ("tensorflow", peer_convnets_tensorflow)}


def own_step(name, rows=None):
    """`(train, session)`: a function that trains one step, and what it runs."""
    import dseq
    from dseq.parallel import communicator
    from dseq.training.session import Training

    x, y = data(name, rows)
    session = Training(build(dseq, name), [x], [y], False)
    feed = session.feed([x], [y])
    session.begin(communicator.get(), "fit", feed)
    session.reset()
    return lambda: session.train(feed, None, 0, len(x)), session


class Peer:
    """A framework in another interpreter, in the way that was fastest in a trial."""

    def __init__(self, name, python):
        self.name, (_, self._module) = name, PEERS[name]
        self._process = subprocess.Popen(
            [python, self._module.__file__, "--serve"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def seconds(self, network, how=None):
        """Of a step; in the way chosen last unless one is given."""
        print(json.dumps([network, *(how or self.how)]), file=self._process.stdin, flush=True)
        return json.loads(self._process.stdout.readline())

    def choose(self, network):
        """Looks for the fastest way."""
        tried = {how: min(self.seconds(network, how) for _ in range(2)) for how in self._module.WAYS}
        self.how = min(tried, key=tried.get)
        self.seconds(network)

    def __str__(self):
        return f"{self.name} {self.how}"

    def close(self):
        self._process.stdin.close()
        self._process.wait()


def answer(command, timeout=600):
    """The last line that a command prints, as JSON."""
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=timeout, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(map(str, command))} failed:\n{done.stderr}")
    return json.loads(done.stdout.splitlines()[-1])


def alone(name, peers, rounds, peak):
    """One rank, against each peer in turn."""
    train, session = own_step(name)
    train()
    count = steps_at_once(name)
    work = sum(calls.operations(call, len(data(name)[0])) for call in session.plan.calls())
    own = [shortest(train, count) for _ in range(rounds)]
    for peer in peers:
        peer.choose(name)
        pairs = [(shortest(train, count), peer.seconds(name)) for _ in range(rounds)]
        own += [ours for ours, _ in pairs]
        print(
            f"{name}: {peer} {1e3 * statistics.median(theirs for _, theirs in pairs):.2f} ms, "
            f"ratio {statistics.median(theirs / ours for ours, theirs in pairs):.2f}",
            flush=True,
        )
    ours = statistics.median(own)
    print(
        f"{name}: dseq {1e3 * ours:.2f} ms, {work / ours / 1e9:.0f} GFLOP/s, {work / ours / 1e9 / peak:.0%} of FMA; "
        f"{session.step.activation_bytes / 2**20:.1f} MiB activations",
        flush=True,
    )
    return session


def together(name, python, ranks, rows, rounds):
    """Several ranks, against DistributedDataParallel: a job per measurement."""
    mpirun = shutil.which("mpirun", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}")
    if not mpirun:
        return print("Several ranks are skipped, MPI is not installed: pip install mpi4py mpich")
    own = mpirun, "-n", ranks, sys.executable, __file__, "--own", rows, name
    peer = python, peer_convnets_torch.__file__, "--ddp", ranks, rows, name
    pairs = [(answer(own), answer(peer)) for _ in range(rounds)]
    ratio = statistics.median(theirs / ours for (ours, _), (theirs, _) in pairs)
    ours, theirs = (statistics.median(row[0] for row in rows) for rows in zip(*pairs, strict=True))
    least, lowest = (min(row[1] for row in rows) for rows in zip(*pairs, strict=True))
    print(
        f"{name}, {ranks} ranks with {rows // ranks} rows each: dseq {1e3 * ours:.2f} ms, PyTorch DDP, gloo "
        f"{1e3 * theirs:.2f} ms, ratio {ratio:.2f}; shortest steps {1e3 * least:.2f} and {1e3 * lowest:.2f} ms, "
        f"{lowest / least:.2f}",
        flush=True,
    )


def own_rank(name, rows):
    """What `together` starts on each rank: the median and the least seconds of a step, from rank 0."""
    import dseq

    train, times = own_step(name, rows)[0], []
    for _ in range(STEPS):
        start = time.perf_counter()
        train()
        times.append(time.perf_counter() - start)
    dseq.print_once(json.dumps([statistics.median(times[5:]), min(times)]))


def memory(name, python, peers):
    """How much each process grows, in MiB; `growth` says from where."""
    whole, steps = answer([sys.executable, __file__, "--growth", name])
    print(f"{name}: dseq grows by {whole:.0f} MiB, by {steps:.0f} from the first step on", flush=True)
    for peer in peers:
        if peer.name == "PyTorch":
            for how in peer_convnets_torch.WAYS[::3]:
                whole, steps = answer([python, peer_convnets_torch.__file__, "--memory", name, *how])
                print(f"{name}: {peer.name} {how} by {whole:.0f} MiB, by {steps:.0f}", flush=True)


def interpreter(name, chosen):
    """The interpreter of a peer, None if it is not installed there."""
    python, (module, peer) = chosen or sys.executable, PEERS[name]
    if subprocess.run([python, "-c", f"import {module}"], capture_output=True, check=False).returncode == 0:
        return python
    print(f"{name} is skipped, it is not installed: {peer.INSTALL}")
    return None


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help=f"some of: {', '.join(NETWORKS)}")
    parser.add_argument("--torch", help="an interpreter that has PyTorch; this one if it has")
    parser.add_argument("--tensorflow", help="an interpreter that has Keras and TensorFlow; this one if it has")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--ranks", type=int, default=1, help="also measure so many ranks, against PyTorch")
    parser.add_argument("--rows", type=int, help="rows of the global batch on several ranks; the network's unless told")
    parser.add_argument("--memory", action="store_true", help="also measure by how much processes grow")
    parser.add_argument("--kernels", action="store_true", help="also list the kernels of the step with their times")
    parser.add_argument("--calls", action="store_true", help="and each call, in the order of the step")
    parser.add_argument("--own", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--growth", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    names = options.names or list(NETWORKS)
    if options.own:
        return own_rank(*names, options.own)
    if options.growth:
        return print(json.dumps(growth(lambda name, rows: own_step(name, rows)[0], *names)))
    chosen = {"PyTorch": options.torch, "TensorFlow": options.tensorflow}
    pythons = {name: interpreter(name, python) for name, python in chosen.items()}
    peers = [Peer(name, python) for name, python in pythons.items() if python]
    peak = roofline.gigaflops(clock=time.process_time)
    for name in names:
        session = alone(name, peers, options.rounds, peak)
        rows = len(data(name)[0])
        if options.kernels:
            calls.print_kernels(session, rows)
        if options.calls:
            calls.print_calls(session, rows)
        if options.memory:
            memory(name, pythons["PyTorch"], peers)
        if options.ranks > 1 and pythons["PyTorch"]:
            together(name, pythons["PyTorch"], options.ranks, options.rows or rows, min(5, options.rounds))
    for peer in peers:
        peer.close()


if __name__ == "__main__":
    main()
