"""The networks of `bench_convnets.py` in PyTorch: eager, channels_last or not, Adam fused or not.

`--serve` answers with times, `--memory name` tells MiB, `--ddp ranks rows name` the seconds of a step on several ranks.
"""

import json
import os
import statistics
import sys
import tempfile
import time

from convnets import NETWORKS, STAGES, STEPS, data, growth, serve, shortest, steps_at_once

INSTALL = "pip install torch (its CPU build suffices)"
WAYS = ((1, 1), (0, 1), (1, 0), (0, 0))  # channels_last, fused


def build(name):
    from torch import nn, relu_

    def normalized(inputs, channels, size, stride=1, relu=True):
        made = [
            nn.Conv2d(inputs, channels, size, stride, size // 2, bias=False),
            nn.BatchNorm2d(channels, eps=1e-3, momentum=0.01),
        ]
        return nn.Sequential(*made, *[nn.ReLU(inplace=True)] * relu)

    class Block(nn.Module):
        def __init__(self, inputs, channels, stride, first):
            super().__init__()
            self.branch = nn.Sequential(
                normalized(inputs, channels, 1),
                normalized(channels, channels, 3, stride),
                normalized(channels, 4 * channels, 1, relu=False),
            )
            self.straight = normalized(inputs, 4 * channels, 1, stride, relu=False) if first else nn.Identity()

        def forward(self, x):
            return relu_(self.straight(x) + self.branch(x))

    if name == "small":
        parts = [nn.Conv2d(1, 32, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(32, 64, 3), nn.ReLU(), nn.MaxPool2d(2)]
        parts += [nn.Flatten(), nn.Linear(1600, 10)]
    elif name == "vgg":
        parts, inputs = [], 3
        for channels in (32, 64, 128):
            parts += [normalized(inputs, channels, 3), normalized(channels, channels, 3), nn.MaxPool2d(2)]
            inputs = channels
        parts += [nn.Flatten(), nn.Linear(2048, 256), nn.ReLU(), nn.Linear(256, 10)]
    else:
        parts, inputs = [normalized(3, 64, 7, 2), nn.MaxPool2d(3, 2, 1)], 64
        for channels, blocks, stride in STAGES:
            for i in range(blocks):
                parts.append(Block(inputs, channels, stride if i == 0 else 1, i == 0))
                inputs = 4 * channels
        parts += [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(inputs, NETWORKS[name][2])]
    return nn.Sequential(*parts)


def make_step(name, channels_last, fused, rows=None, ranks=1):
    """A function that trains one step; no metric is computed, and the loss stays where it is.

    Args:
        name: Name of the network.
        channels_last: Whether images lie so in memory.
        fused: Whether Adam is.
        rows: Rows of a batch; the network's unless given.
        ranks: More than one: gradients are summed over the ranks of the process group.
    """
    import torch

    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    torch.manual_seed(0)
    model, loss = build(name), torch.nn.CrossEntropyLoss()
    x, y = (torch.from_numpy(array) for array in data(name, rows))
    x = x.permute(0, 3, 1, 2)
    layout = torch.channels_last if channels_last else torch.contiguous_format
    model, x = model.to(memory_format=layout), x.contiguous(memory_format=layout)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, eps=1e-7, fused=bool(fused))
    if ranks > 1:
        model = torch.nn.parallel.DistributedDataParallel(model, static_graph=True, gradient_as_bucket_view=True)

    def step():
        optimizer.zero_grad(set_to_none=True)
        loss(model(x), y).backward()
        optimizer.step()

    return step


def prepare(name, *how):
    step = make_step(name, *how)
    return lambda: shortest(step, steps_at_once(name))


def _rank(rank, ranks, rows, name, rendezvous, results):
    from torch import distributed

    distributed.init_process_group("gloo", init_method=f"file://{rendezvous}", rank=rank, world_size=ranks)
    found = []
    for how in WAYS[::2]:  # channels_last
        step, times = make_step(name, *how, rows=rows // ranks, ranks=ranks), []
        for _ in range(STEPS):
            distributed.barrier()
            start = time.perf_counter()
            step()
            times.append(time.perf_counter() - start)
        found.append((statistics.median(times[5:]), min(times)))
        del step  # DDP's threads must be gone before their process group is
    if rank == 0:
        results.put([min(column) for column in zip(*found, strict=True)])
    distributed.barrier()
    distributed.destroy_process_group()


def ddp(ranks, rows, name):
    """The median and the least seconds of a step of DistributedDataParallel over gloo, channels_last.

    Args:
        ranks: Number of ranks.
        rows: Rows of all of them together.
        name: Name of the network.
    """
    from torch import multiprocessing

    results = multiprocessing.get_context("spawn").Queue()
    with tempfile.TemporaryDirectory() as folder:
        arguments = (ranks, rows, name, os.path.join(folder, "rendezvous"), results)
        started = multiprocessing.spawn(_rank, arguments, nprocs=ranks, join=False)
        found = results.get(timeout=300)
        while not started.join():
            pass
    return found


def main(what, *arguments):
    if what == "--serve":
        serve(prepare)
    elif what == "--memory":
        name, *how = arguments
        print(json.dumps(growth(lambda name, rows: make_step(name, *map(int, how), rows=rows), name)))
    elif what == "--ddp":
        ranks, rows, name = arguments
        print(json.dumps(ddp(int(ranks), int(rows), name)))


if __name__ == "__main__":
    main(*sys.argv[1:])
