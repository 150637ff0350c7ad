"""Trains with optimizers that look at all gradients or at whole weights; rank 0 writes what came out to a file."""

import sys

import numpy as np

import dseq as keras
from dseq import layers, optimizers
from dseq.parallel import communicator

rng = np.random.default_rng(0)
x = rng.standard_normal((43, 7)).astype("float32")  # 43 rows in batches of 8: the last has 3
y = (x[:, 0] > 0).astype("int64") + (x[:, 1] > 0)
broken = x.copy()
broken[17, 3] = np.inf  # on one rank only
results = {}


class Heavy(optimizers.Optimizer):
    """Momentum in Python."""

    def build(self, variables):
        super().build(variables)
        self.momentums = self.add_optimizer_variables(variables, "momentum")

    def update_step(self, gradient, variable, learning_rate):
        m = self.momentums[self._get_variable_index(variable)]
        m.assign(0.9 * m - learning_rate * gradient)
        variable.assign_add(m)


CASES = {
    "clip": lambda: optimizers.Adam(0.02, global_clipnorm=0.2, use_ema=True, ema_momentum=0.9),
    "accumulate": lambda: optimizers.SGD(0.2, momentum=0.9, clipnorm=0.1, gradient_accumulation_steps=3, use_ema=True),
    "python": lambda: Heavy(0.05, clipvalue=0.05, gradient_accumulation_steps=2, weight_decay=0.01),
    "scale": lambda: optimizers.LossScaleOptimizer(optimizers.Adam(0.02), initial_scale=64.0, dynamic_growth_steps=3),
    "lars": lambda: optimizers.LARS(
        optimizers.schedules.LinearWarmup(1.0, 6), weight_decay=1e-3, exclude_from_adaptation=["bias"]
    ),
    "muon": lambda: optimizers.Muon(0.02),
    "adafactor": lambda: optimizers.Adafactor(0.1),
}

for name, make in CASES.items():
    keras.utils.set_random_seed(5)
    model = keras.Sequential([keras.Input((7,)), layers.Dense(16, "tanh"), layers.Dense(3, "softmax")])
    optimizer = make()
    model.compile(optimizer, "sparse_categorical_crossentropy")
    history = model.fit(broken if name == "scale" else x, y, batch_size=8, epochs=4, verbose=0).history
    variables = [w.numpy() for w in [*model.weights, *optimizer.variables]]
    for i, values in enumerate(variables):
        results[f"{name}/{i}"] = values
    if name != "scale":
        results[f"{name}/loss"] = np.array(history["loss"])
    for other in communicator.get().allgather_object(variables):
        for a, b in zip(variables, other, strict=True):
            np.testing.assert_array_equal(a, b)  # every rank has made the same decisions and the same update
    if name == "scale":
        # Six steps an epoch, one of them skipped.
        assert int(optimizer.iterations) == 20, int(optimizer.iterations)

if communicator.get().rank == 0:
    np.savez(sys.argv[1], **results)
