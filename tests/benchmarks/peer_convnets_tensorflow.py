"""The networks of `bench_convnets.py` in Keras on TensorFlow, compiled by XLA or not: `--serve` answers with times."""

import os

os.environ["KERAS_BACKEND"] = "tensorflow"
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import time

import numpy as np
from convnets import NETWORKS, build, data, serve, steps_at_once

INSTALL = "pip install tensorflow-cpu keras"
WAYS = ((0, 1), (1, 1), (0, 8), (1, 8))  # jit_compile, steps_per_execution


def prepare(name, jit, together):
    """`fit` over some batches, from the end of the first epoch to that of the last; the seconds of a step."""
    import keras
    import tensorflow as tf

    if not tf.config.threading.get_intra_op_parallelism_threads():
        tf.config.threading.set_intra_op_parallelism_threads(1)
        tf.config.threading.set_inter_op_parallelism_threads(1)
    model = build(keras, name, jit_compile=bool(jit), steps_per_execution=together)
    batches, (x, y) = max(together, steps_at_once(name)), data(name)
    x, y = np.concatenate([x] * batches), np.concatenate([y] * batches)
    ends = []
    watch = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: ends.append(time.process_time()))

    def run():
        ends.clear()
        model.fit(x, y, NETWORKS[name][1], epochs=3, shuffle=False, verbose=0, callbacks=[watch])
        return min(np.diff(ends)) / batches

    return run


if __name__ == "__main__":
    serve(prepare)
