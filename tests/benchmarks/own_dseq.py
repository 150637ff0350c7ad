"""dseq's `fit` as `bench_training.py` times it. On several ranks, us per step of each network named:

mpirun -n 2 python tests/benchmarks/own_dseq.py small large
"""

import os
import statistics
import sys

from networks import NETWORKS, RANKED, data, keras_model
from worker import SINGLE_THREADED, fit_timer, pin, serve

EPOCHS = 8


def timer(network):
    import dseq

    dseq.utils.set_random_seed(0)
    return fit_timer(keras_model(dseq, network), dseq, *data(), network.batch)


def prepare(network):
    return timer(NETWORKS[network])


def main(names):
    import dseq

    medians = []
    for name in names:
        run = timer(RANKED[name])
        run(epochs=2)
        medians.append(statistics.median(run(epochs=EPOCHS)) * 1e6)
    dseq.print_once(*medians)


if __name__ == "__main__":
    os.environ.update(SINGLE_THREADED)
    if "--serve" in sys.argv:
        pin(int(sys.argv[-1]))
        serve(prepare)
    else:
        main(sys.argv[1:])
