"""Summing gradients over ranks and updating weights, by engine: `mpirun -n 2 python tests/benchmarks/bench_engines.py`.

`flat` sums all gradients with one Allreduce, and every rank updates all weights; `node` keeps one copy of the weights
in shared memory, and every rank sums and updates a slice. Both run in turns, and the median of the ratios is what
counts: the machine may have other work. First the sum and the update alone, by Adam; then whole steps.
"""

import os

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[name] = "1"
os.environ["DSEQ_ENGINE"] = "node"  # what it sets when MPI starts

import argparse
import time

import numpy as np

import dseq
from dseq import config, layers
from dseq.parallel import communicator

world = communicator.get()
# Layers, and rows of each rank.
NETWORKS = [((784, 128, 10), 32), ((784, 512, 512, 10), 64), ((784, 2048, 2048, 10), 64)]


def network(sizes):
    dseq.utils.set_random_seed(0)
    first, *hidden, last = sizes
    model = dseq.Sequential([dseq.Input((first,)), *(layers.Dense(n, "relu") for n in hidden)])
    model.add(layers.Dense(last, "softmax"))
    model.compile("adam", "sparse_categorical_crossentropy")
    return model


def trained(engine, sizes, rows):
    """A session of the engine that has made a step, and the arguments of the next."""
    config.engine = engine
    model = network(sizes)
    rng = np.random.default_rng(0)
    x = rng.random((rows * world.size, sizes[0]), "float32")
    y = rng.integers(0, sizes[-1], len(x))
    model.fit(x, y, batch_size=len(x), verbose=0)
    (session,) = (s for s in model._sessions.values() if hasattr(s, "engine"))
    assert session.engine.name == (engine if world.size > 1 else "solo")
    session.reset()
    return session, (session.feed([x], [y]), None, 0, len(x))


def update_of(session):
    """Sum and update, without forward and backward."""
    session.begin(world, "fit", session_feed[id(session)])
    parameters, optimizer = session.parameters, session.model.optimizer
    parameters.grads[:] = 0  # sums take the place of gradients: others would grow without end

    def run():
        session.engine.expect(1 << 40)  # rows, so many that gradients are summed, not made of rows
        session.engine.reduce(parameters.grads, parameters.trainable_size)
        optimizer.begin_step(1.0)
        session.step.update()
        optimizer.end_step()
        session.engine.finish(parameters.params)

    return run


session_feed = {}


def seconds(function, repeats):
    world.barrier()
    start = time.perf_counter()
    for _ in range(repeats):
        function()
    return (time.perf_counter() - start) / repeats


def compare(title, functions, rounds, repeats):
    for function in functions.values():
        seconds(function, repeats)
    times = np.array([[seconds(f, repeats) for f in functions.values()] for _ in range(rounds)])
    if world.rank == 0:
        flat, node = np.median(times, axis=0) * 1e6
        best = times.min(axis=0) * 1e6
        ratio = np.median(times[:, 0] / times[:, 1])
        print(
            f"{title:40s} flat {flat:9.1f} us (least {best[0]:9.1f})  node {node:9.1f} us (least {best[1]:9.1f})  "
            f"flat / node {ratio:5.2f}",
            flush=True,
        )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=31)
    arguments = parser.parse_args()
    if world.rank == 0:
        print(f"{world.size} ranks, Adam, float32; medians of {arguments.rounds} rounds")
    for sizes, rows in NETWORKS:
        title = "-".join(map(str, sizes))
        made = {engine: trained(engine, sizes, rows) for engine in ("flat", "node")}
        for session, batch in made.values():
            session_feed[id(session)] = batch[0]
        count = made["flat"][0].parameters.trainable_size
        repeats = max(1, min(100, 20_000_000 // count))
        updates = {engine: update_of(session) for engine, (session, _) in made.items()}
        compare(f"sum and update, {count:,}", updates, arguments.rounds, repeats)

        def step(made=made, engine="flat"):
            session, batch = made[engine]
            session.train(*batch)

        steps = {engine: lambda made=made, engine=engine: step(made, engine) for engine in made}
        compare(f"step of {title}, {rows} rows a rank", steps, arguments.rounds, max(1, repeats // 2))


if __name__ == "__main__":
    main()
