"""What `bench_convnets.py` trains, in Keras' words; and how its processes tell times and memory.

A network is built with `keras`, which is dseq or Keras itself. Its optimizer is Adam, its data are random.
"""

import ctypes
import gc
import json
import sys
import time

import numpy as np

NETWORKS = {"small": ((28, 28, 1), 64, 10), "vgg": ((32, 32, 3), 32, 10), "resnet50": ((224, 224, 3), 8, 1000)}
STEPS = 50  # of a job of several ranks
STAGES = ((64, 3, 1), (128, 4, 2), (256, 6, 2), (512, 3, 2))  # of ResNet50: channels, blocks, stride


def build(keras, name, **options):
    """The network as a model; options are `compile`'s."""
    L = keras.layers
    keras.utils.set_random_seed(0)
    shape, _, classes = NETWORKS[name]

    def normalized(x, channels, size, stride=1, relu=True):
        x = L.Conv2D(channels, size, stride, "same", use_bias=False)(x)
        x = L.BatchNormalization()(x)
        return L.ReLU()(x) if relu else x

    x = y = L.Input(shape)
    if name == "small":
        y = L.MaxPooling2D()(L.Conv2D(32, 3, activation="relu")(y))
        y = L.Flatten()(L.MaxPooling2D()(L.Conv2D(64, 3, activation="relu")(y)))
    elif name == "vgg":
        for channels in (32, 64, 128):
            y = L.MaxPooling2D()(normalized(normalized(y, channels, 3), channels, 3))
        y = L.Dense(256, "relu")(L.Flatten()(y))
    else:
        y = L.MaxPooling2D(3, 2, "same")(normalized(y, 64, 7, 2))
        for channels, blocks, stride in STAGES:
            for i in range(blocks):
                step = stride if i == 0 else 1
                branch = normalized(normalized(y, channels, 1), channels, 3, step)
                branch = normalized(branch, 4 * channels, 1, relu=False)
                y = normalized(y, 4 * channels, 1, step, relu=False) if i == 0 else y
                y = L.ReLU()(L.Add()([y, branch]))
        y = L.GlobalAveragePooling2D()(y)
    model = keras.Model(x, L.Dense(classes, "softmax")(y))
    model.compile("adam", "sparse_categorical_crossentropy", **options)
    return model


def data(name, rows=None):
    """Random images and labels of one batch."""
    shape, batch, classes = NETWORKS[name]
    random, rows = np.random.default_rng(0), rows or batch
    return random.standard_normal((rows, *shape), np.float32), random.integers(0, classes, rows)


def steps_at_once(name):
    """How many steps make one measurement."""
    return 1 if name == "resnet50" else 5


def shortest(step, count, clock=time.process_time):
    """The least seconds of some calls."""
    found = []
    for _ in range(count):
        start = clock()
        step()
        found.append(clock() - start)
    return min(found)


def serve(prepare):
    """Answers lines `[name, *how]` on stdin with the processor time of a step, until stdin ends.

    Args:
        prepare: `prepare(name, *how)` makes a function that trains some steps and gives the seconds of one. The last
            one made is kept.
    """
    known, answers = (None, None), sys.stdout
    sys.stdout = sys.stderr
    for line in sys.stdin:
        if line != known[0]:
            known = None
            gc.collect()
            known = line, prepare(*json.loads(line))
            known[1]()
        print(json.dumps(known[1]()), file=answers, flush=True)


def growth(make_step, name):
    """MiB by which this process grows at most in three steps: over what it had before it made the network, and before
    the first step.

    A network of one row has trained before: the library has loaded or compiled what it runs.

    Args:
        make_step: `make_step(name, rows)` makes a function that trains one step.
        name: Name of the network.
    """
    warm = make_step(name, 1)
    for _ in range(2):
        warm()
    del warm
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    with open("/proc/self/clear_refs", "w") as file:
        file.write("5")  # the peak begins anew
    before = _resident("VmRSS")
    step = make_step(name, None)
    made = _resident("VmRSS")
    for _ in range(3):
        step()
    peak = _resident("VmHWM")
    return peak - before, peak - made


def _resident(what):
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith(what)) / 1024
