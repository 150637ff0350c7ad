"""Sums of many arrays in an order that is written down: that of a binary tree."""

from dseq.kernels.base import kernel
from dseq.kernels.shared import BLOCK

TAKE, ADD_TWO, ADD_ONE, ADD_ABOVE = range(4)  # what a line of the program does to its place of the stack


@kernel
def sum_tree(total, rows, first, program, stack):
    # total (n,) = the sum of rows[:, first : first + n] in the program's order; it may be a part of one of them
    # program (lines, 4): what is done, to which place of the stack, with which rows; stack (depth, BLOCK) is scratch
    n = total.size
    for lo in range(0, n, BLOCK):
        size = min(BLOCK, n - lo)
        begin = first + lo
        for line in range(program.shape[0]):
            what, place = program[line, 0], program[line, 1]
            s = stack[place][:size]
            if what == TAKE:
                a = rows[program[line, 2]][begin : begin + size]
                for i in range(size):
                    s[i] = a[i]
            elif what == ADD_TWO:
                a = rows[program[line, 2]][begin : begin + size]
                b = rows[program[line, 3]][begin : begin + size]
                for i in range(size):
                    s[i] = a[i] + b[i]
            elif what == ADD_ONE:
                a = rows[program[line, 2]][begin : begin + size]
                for i in range(size):
                    s[i] += a[i]
            else:
                above = stack[place + 1][:size]
                for i in range(size):
                    s[i] += above[i]
        s = stack[0][:size]
        t = total[lo : lo + size]
        for i in range(size):
            t[i] = s[i]
