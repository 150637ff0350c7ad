"""What shards add up in each step is summed where it is made, not written for each shard and summed then."""

from dseq.kernels.dense import dense_write_bias, dense_write_kernel
from dseq.kernels.dense_tree import dense_tree_bias, dense_tree_kernel
from dseq.program.operand import Operand
from dseq.program.rewriting.draft import covers

# Called (sum, rows, ...); the twin is told the tree besides.
BY_TREE = {dense_write_kernel: dense_tree_kernel, dense_write_bias: dense_tree_bias}


def sum_by_tree(draft) -> None:
    """In strict mode a weight's gradient is made of all shards' rows at once, after all have come through backward.

    Only where nothing else is added to it: products and penalties are summed shard by shard.

    Args:
        draft: The `Draft`.
    """
    plan = draft.plan
    if not (plan.strict and plan.overwrites):
        return
    tree = tree_operands(plan.dtype)
    for call in list(draft.backward):
        if call.kernel and call.first in BY_TREE and _can_wait(draft, call):
            kernel = BY_TREE[call.first]
            draft.replace(call, kernel, (*call.args, *tree), kernel)
            draft.postpone(call)


def tree_operands(dtype) -> list:
    """What the step tells a sum along the tree besides its rows; see `dseq.kernels.dense_tree`.

    Args:
        dtype: The plan's float type, of the stack.
    """
    kinds = {"part": ((2,), "int64"), "cuts": ((1,), "int64"), "tree": ((1, 4), "int64"), "stack": ((1, 1), dtype)}
    return [Operand(label, shape, "tree", kind) for label, (shape, kind) in kinds.items()]


def _can_wait(draft, call):
    """Whether the call alone makes a weight's gradient, of rows that stay as they are until the end."""
    target, *rows = call.args
    if target.block.arena != "grads" or not covers(target) or draft.users(target.block) != [call]:
        return False
    if not all(operand.per_row for operand in rows):
        return False
    blocks = [operand.block for operand in rows]
    return not any(c.number > call.number and c.target is block for block in blocks for c in draft.users(block))
