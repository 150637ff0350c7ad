"""Whole training runs against Keras' numbers."""

import pytest

from tests.training.golden_runs import CASES, check, run
from tests.training.goldens import GOLDENS


@pytest.mark.parametrize("case", CASES)
def test_six_steps_as_keras(case):
    check(case, run(case), GOLDENS[case])


@pytest.mark.parametrize("options", [{"jit_compile": False}, {"run_eagerly": True}])
def test_other_runners_as_keras(options):
    check("adam", run("adam", **options), GOLDENS["adam"])
