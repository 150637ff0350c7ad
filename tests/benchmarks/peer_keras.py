"""Keras' `fit` on JAX, one thread: the time of a step from the second epoch on, one or several steps per call.

python tests/benchmarks/peer_keras.py
"""

import os
import statistics
import sys

from networks import NETWORKS, data, keras_model
from worker import SINGLE_THREADED, fit_timer, pin, serve

INSTALL = "pip install keras jax"
# Several steps in one call of the compiled function: less of Python's work, at the price of rarer callbacks.
STEPS_PER_EXECUTION = (1, 8, 32)


def prepare(network, steps_per_execution=1):
    import keras

    keras.utils.set_random_seed(0)
    network = NETWORKS[network]
    model = keras_model(keras, network, steps_per_execution=steps_per_execution)
    return fit_timer(model, keras, *data(), network.batch)


def main():
    import keras

    print(f"Keras {keras.__version__} on {keras.backend.backend()}, fit, median us per step")
    print(f"{'network':28}{'batch':>6}{'steps per execution':>21}{'us/step':>9}")
    for name, network in NETWORKS.items():
        for together in STEPS_PER_EXECUTION:
            run = prepare(name, together)
            run()
            microseconds = statistics.median(run(2.0)) * 1e6
            print(f"{network.title:28}{network.batch:>6}{together:>21}{microseconds:>9.0f}", flush=True)


if __name__ == "__main__":
    os.environ.update(SINGLE_THREADED)  # before Keras and JAX are imported: they read it then
    try:
        if "--serve" in sys.argv:
            pin(int(sys.argv[-1]))
            serve(prepare)
        else:
            pin(-1)
            main()
    except ModuleNotFoundError as error:
        sys.exit(f"Keras on JAX is not installed ({error}): {INSTALL}")
