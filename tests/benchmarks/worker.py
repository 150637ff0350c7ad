"""A benchmark's process: stays alive, pinned to one core, and times some epochs whenever it is asked.

Two frameworks can so be measured in turn, A B A B, without paying for their start each time. A request and an answer
are one line of JSON on stdin and stdout.
"""

import contextlib
import json
import os
import statistics
import subprocess
import sys
import time

# One thread per process. XLA's are further limited by the one core that the process may run on.
SINGLE_THREADED = {
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1",
    "KERAS_BACKEND": "jax",
    "JAX_PLATFORMS": "cpu",
    "TF_CPP_MIN_LOG_LEVEL": "3",
}

# Wall time, unless this machine is busy with other things: the processor time of a single thread then says more.
clock = time.process_time if os.environ.get("BENCH_CLOCK") == "processor" else time.perf_counter


def pin(number):
    """Keeps this process on one of the cores it may use. Call it before a framework makes its threads."""
    if hasattr(os, "sched_setaffinity"):
        cores = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, {cores[number % len(cores)]})


def serve(prepare):
    """Answers requests until stdin ends.

    Args:
        prepare: `prepare(**request)` makes a function; `function(seconds)` trains about so long and returns seconds
            per step, one number per epoch. It is kept for the next request alike.
    """
    answers = sys.stdout
    prepared = {}
    with contextlib.redirect_stdout(sys.stderr):
        for line in sys.stdin:
            request = json.loads(line)
            seconds = request.pop("seconds")
            key = json.dumps(request, sort_keys=True)
            if key not in prepared:
                prepared[key] = prepare(**request)
                prepared[key](0.0)
            times = prepared[key](seconds)
            answers.write(json.dumps(statistics.median(times) * 1e6) + "\n")
            answers.flush()


class Worker:
    """The other end: starts a script with `--serve` and asks it."""

    def __init__(self, script, core=-1):
        command = [sys.executable, str(script), "--serve", str(core)]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=os.environ | SINGLE_THREADED
        )

    def microseconds(self, seconds, **request):
        """The median time of a step in us over about `seconds` of training."""
        self.process.stdin.write(json.dumps({"seconds": seconds, **request}) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self.process.args[1]} ended with exit code {self.process.wait()}")
        return json.loads(line)

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def fit_timer(model, keras, x, y, batch):
    """A function that calls `fit` and returns seconds per step, one number per epoch: from one epoch's end to the next.

    It trains for about the seconds it is given, or for a number of epochs: ranks must agree on one.
    """
    steps = -(-len(x) // batch)
    known = []

    class Clock(keras.callbacks.Callback):
        def on_train_begin(self, logs=None):
            self.ends = []

        def on_epoch_end(self, epoch, logs=None):
            self.ends.append(clock())

    def run(seconds=0.0, epochs=None):
        if epochs is None:
            epochs = max(2, min(1000, round(seconds / known[-1]))) if known else 2
        watch = Clock()
        # One epoch more than is counted: the first one also compiles and warms up.
        model.fit(x, y, batch_size=batch, epochs=1 + epochs, verbose=0, callbacks=[watch])
        epoch_times = [after - before for before, after in zip(watch.ends, watch.ends[1:], strict=False)]
        known.append(statistics.median(epoch_times))
        return [duration / steps for duration in epoch_times]

    return run
