"""The numbers of a step: written when they change, and whenever a kernel or an engine has written others."""

import numpy as np

from dseq.optimizers.layout import Layout
from dseq.optimizers.update import Memory
from dseq.program.variable import Variable

CONTROL, GATE = (1.0, True, 0.5, 1, 2.0, 0.0, False), (True, 0.25, np.inf)


def memory(gates):
    return Memory(Layout([Variable(np.zeros(3, "float32"), "float32", "w", "w")]), gates)


def check(memory, control, gate):
    np.testing.assert_array_equal(memory.control, control)
    np.testing.assert_array_equal(memory.clips, [gate] * len(memory.clips))


def test_numbers_that_a_kernel_has_written_are_written_again():
    for gates in (1, 3):
        numbers = memory(gates)
        for _ in range(2):
            numbers.set(CONTROL, GATE)
            check(numbers, CONTROL, GATE)
            numbers.control[0] = numbers.clips[:, 1] = 7


def test_numbers_that_last_change_when_others_are_set():
    numbers = memory(1)
    numbers.set(CONTROL, GATE, lasting=True)
    others = (*CONTROL[:2], 0.125, *CONTROL[3:])
    numbers.set(others, GATE, lasting=True)
    check(numbers, others, GATE)
    numbers.set(others, (False, 1.0, 3.0), lasting=True)
    check(numbers, others, (False, 1.0, 3.0))


def test_after_a_step_that_only_accumulated_the_numbers_are_back():
    for gates in (1, 3):
        numbers = memory(gates)
        numbers.set(CONTROL, GATE, lasting=True)
        numbers.only_accumulate()
        check(numbers, (1.0, False, *CONTROL[2:]), (False, *GATE[1:]))
        numbers.set(CONTROL, GATE, lasting=True)
        check(numbers, CONTROL, GATE)
