"""PyTorch's training step at its best settings: eager, one thread, each kind of Adam; and DDP on several ranks.

python tests/benchmarks/peer_torch.py
"""

import os
import statistics
import sys
import tempfile
import time

from networks import NETWORKS, RANKED, data
from worker import SINGLE_THREADED, clock, pin, serve

INSTALL = "pip install torch (its CPU build suffices)"
ADAMS = {"default": {}, "foreach": {"foreach": True}, "fused": {"fused": True}}


def build(network):
    from torch import nn

    layers = []
    for k, m in zip(network.sizes, network.sizes[1:], strict=False):
        layers.append(nn.Linear(k, m))
        if m != network.sizes[-1]:
            layers.append(nn.ReLU())
            if network.dropout:
                layers.append(nn.Dropout(network.dropout))
    return nn.Sequential(*layers)


def trainer(network, adam, gather=True, ranks=1, rank=0, threads=1, compiled=False):
    """A function that trains for some seconds and returns seconds per step, one number per epoch.

    Each epoch is shuffled anew. `gather=False` takes the rows as they lie instead of collecting shuffled ones. No
    metric is computed and the loss is never brought to Python, which is less than `fit` does elsewhere.
    """
    import torch

    torch.set_num_threads(threads)
    torch.set_flush_denormal(True)  # 5 to 8 % faster; XLA does so too
    torch.manual_seed(0)
    x, y = (torch.from_numpy(array) for array in data())
    y = y.long()
    model = build(network)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, eps=1e-7, **ADAMS[adam])
    if ranks > 1:
        model = torch.nn.parallel.DistributedDataParallel(model, static_graph=True, gradient_as_bucket_view=True)
    if compiled:
        model = torch.compile(model)
    loss_function = torch.nn.CrossEntropyLoss()
    rows = network.batch // ranks
    steps = len(x) // network.batch

    def epoch():
        generator = torch.Generator().manual_seed(1)
        start = clock()
        order = torch.randperm(len(x), generator=generator)
        for step in range(steps):
            first = step * network.batch + rank * rows
            if gather:
                mine = order[first : first + rows]
                inputs, labels = x.index_select(0, mine), y.index_select(0, mine)
            else:
                inputs, labels = x[first : first + rows], y[first : first + rows]
            optimizer.zero_grad(set_to_none=True)
            loss_function(model(inputs), labels).backward()
            optimizer.step()
        return (clock() - start) / steps

    def run(seconds):
        end = time.perf_counter() + seconds
        times = [epoch(), epoch()]
        while time.perf_counter() < end:
            times.append(epoch())
        return times

    return run


def prepare(network, **options):
    return trainer(NETWORKS[network], **options)


def _rank(rank, ranks, networks, epochs, rendezvous, results):
    from torch import distributed

    distributed.init_process_group("gloo", init_method=f"file://{rendezvous}", rank=rank, world_size=ranks)
    for network in networks:
        run = trainer(network, "fused", ranks=ranks, rank=rank)
        times = []
        for _ in range(epochs):  # two each; the first two warm up. Not by the clock: ranks must do as many.
            times += run(0.0)
        if rank == 0:
            results.put(statistics.median(times[2:]) * 1e6)
        distributed.barrier()
        del run  # DDP's threads must be gone before their process group is
    distributed.destroy_process_group()


def ddp_microseconds(networks, ranks, epochs=4):
    """The median time in us of a step of DDP over gloo for each network, each rank with its part of the batch.

    Ranks are not pinned to cores: gloo's threads then take turns with the training, and steps were up to 1.4 times as
    long. To sum one flat tensor of gradients by hand was not faster either.
    """
    from torch import multiprocessing

    context = multiprocessing.get_context("spawn")
    results = context.Queue()
    with tempfile.TemporaryDirectory() as folder:
        arguments = (ranks, networks, epochs, os.path.join(folder, "rendezvous"), results)
        started = multiprocessing.spawn(_rank, arguments, nprocs=ranks, join=False)
        medians = [results.get(timeout=100) for _ in networks]
        while not started.join():
            pass
    return medians


def main():
    import torch

    print(f"PyTorch {torch.__version__}, median us per step")
    print(f"{'network':28}{'batch':>6}{'ranks':>6}{'threads':>8}  {'how':24}{'us/step':>9}{'no gather':>11}")
    compiled = "--compile" in sys.argv
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else [0, 1]
    for network in NETWORKS.values():
        row = f"{network.title:28}{network.batch:>6}"
        pin(-1)
        for adam in ADAMS:
            for compile_it in (False, True) if compiled and adam == "fused" else (False,):
                gathered, straight = (trainer(network, adam, gather, compiled=compile_it) for gather in (True, False))
                times = ([], [])
                for _ in range(3):
                    times[0].extend(gathered(0.5)[1:])
                    times[1].extend(straight(0.5)[1:])
                gathered, straight = (statistics.median(values) * 1e6 for values in times)
                how = f"{'compiled' if compile_it else 'eager'}, {adam} Adam"
                print(f"{row}{1:>6}{1:>8}  {how:24}{gathered:>9.0f}{straight:>11.0f}", flush=True)
        if hasattr(os, "sched_setaffinity"):
            os.sched_setaffinity(0, cores)
        if len(cores) > 1:
            time_two = statistics.median(trainer(network, "fused", threads=2)(1.5)[1:]) * 1e6
            print(f"{row}{1:>6}{2:>8}  {'eager, fused Adam':24}{time_two:>9.0f}", flush=True)
    for network, time_ddp in zip(RANKED.values(), ddp_microseconds(list(RANKED.values()), 2), strict=True):
        print(f"{network.title:28}{network.batch:>6}{2:>6}{1:>8}  {'DDP, fused Adam':24}{time_ddp:>9.0f}", flush=True)


if __name__ == "__main__":
    os.environ.update(SINGLE_THREADED)
    try:
        if "--serve" in sys.argv:
            pin(int(sys.argv[-1]))
            serve(prepare)
        elif "--ddp" in sys.argv:
            ranks, *names = sys.argv[2:]
            print(*ddp_microseconds([RANKED[name] for name in names], int(ranks)))
        else:
            main()
    except ModuleNotFoundError as error:
        sys.exit(f"PyTorch is not installed ({error}): {INSTALL}")
