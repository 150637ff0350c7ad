"""Runs every golden case under MPI and compares with Keras' numbers on every rank."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[3]))

import dseq
from tests.losses import keras_runs
from tests.optimizers.test_training import GOLDENS as OPTIMIZERS
from tests.optimizers.test_training import test_six_steps_as_keras as check_optimizer
from tests.training import layer_goldens
from tests.training.golden_runs import CASES, check, run
from tests.training.goldens import GOLDENS

for case in CASES:
    check(case, run(case), GOLDENS[case])
for name in layer_goldens.NETWORKS:
    layer_goldens.check(name, layer_goldens.run(dseq, name))
if "--all" in sys.argv:
    for case in OPTIMIZERS:
        check_optimizer(case)
    for case in keras_runs.EXPECTED:
        keras_runs.check(case, keras_runs.run(*case))
print("all cases agree")
