"""What depends on weights alone is computed once for many steps; normalisation then is part of the weights."""

from dseq.kernels.batch_norm import fold_bias, fold_kernel, make_table, normalize_columns
from dseq.kernels.conv import conv_forward
from dseq.kernels.dense import dense_forward
from dseq.kernels.depthwise import depthwise_forward
from dseq.kernels.epilogue import NONE
from dseq.kernels.moments import moving_statistics
from dseq.program.operand import Operand, matrix
from dseq.program.rewriting.draft import covers, is_pure

# Called (y, x, w, b, ..., activation), with output channels last in y and w.
FOLDING = {conv_forward, dense_forward, depthwise_forward}
FIXED = ("params", "constants")


def hoist(draft) -> None:
    """Without gradients weights stay as they are during a run: what is made of them alone is made at its beginning.

    Args:
        draft: The `Draft`.
    """
    if draft.plan.training or draft.backward:
        return
    made = {id(block) for call in draft.head for block in call.blocks()}
    for call in list(draft.forward):
        if call.kernel and is_pure(call) and _is_fixed(draft, call, made):
            draft.hoist(call)
            made.add(id(call.target))


def _is_fixed(draft, call, made):
    block = call.target
    others = [a.block for a in call.args[1:] if isinstance(a, Operand)]
    known = all(b.arena in FIXED or id(b) in made for b in others)
    return known and block.arena == "shared" and draft.is_free(block) and draft.writers(block) == [call]


def fold_normalizations(draft) -> None:
    """Where statistics are fixed, the layer before a normalisation computes with weights that do both.

    Args:
        draft: The `Draft`.
    """
    if draft.plan.training or draft.backward:
        return
    for call in list(draft.forward):
        if call.kernel is normalize_columns:
            _fold(draft, call)


def _fold(draft, call):
    y, x, table, activation = call.args
    value, result = x.block, y.block
    users = draft.users(value)
    if len(users) != 2 or users[0].kernel not in FOLDING or users[0].target is not value or not draft.is_free(value):
        return
    layer, made = users[0], draft.writers(table.block)
    if layer.args[-1] != NONE or layer.args[0].shape[-1] != x.shape[-1] or [c.kernel for c in made] != [make_table]:
        return
    if [c.kernel for c in draft.writers(made[0].args[1].block)] != [moving_statistics]:
        return
    if not (covers(x) and covers(y) and covers(layer.args[0])) or value.dtype != result.dtype:
        return
    plan, (_, _, w, b, *how, _) = draft.plan, layer.args
    if w.block.arena != "params" or draft.users(result)[0] is not call:
        return
    kernel = Operand(f"folded {w.label}", w.block.shape, "shared", plan.dtype)
    bias = Operand(f"folded bias of {w.label}", (x.shape[-1],), "shared", plan.dtype)
    plan.blocks += [kernel, bias]
    for needed in (*draft.writers(made[0].args[1].block), *made):
        if needed in draft.forward:
            draft.hoist(needed)
    draft.at_head(fold_kernel, matrix(kernel.reshape(w.shape)), matrix(w), table)
    draft.at_head(fold_bias, bias, b, table)
    draft.remove(call)
    draft.replace(layer, layer.kernel, (*layer.args[:2], kernel.reshape(w.shape), bias, *how, activation))
    draft.move(value, result)
