"""An activation is applied by the call that computes what it is applied to."""

from dseq.kernels.batch_norm import normalize_channels, normalize_columns
from dseq.kernels.conv import conv_forward
from dseq.kernels.dense import dense_forward
from dseq.kernels.depthwise import depthwise_forward
from dseq.kernels.epilogue import NONE, RELU, RELU6
from dseq.kernels.merge import add_forward
from dseq.kernels.rectifier import clipped_line_backward, clipped_line_forward, relu_backward, relu_forward
from dseq.program.rewriting.draft import covers

# Their last argument says which activation they apply, by the codes of `dseq.kernels.epilogue`.
APPLYING = {add_forward, conv_forward, dense_forward, depthwise_forward, normalize_channels, normalize_columns}
# These gradients are told from the activation's result alone.
TOLD_FROM_RESULT = {relu_backward, clipped_line_backward}
LINE_OF_RELU6 = ["1.0", "0.0", "0.0", "6.0"]  # slope, offset, least, most


def code_of(kernel, constants) -> int:
    """The number of an activation as kernels take it, NONE if they know none like it.

    Args:
        kernel: Its forward or backward kernel.
        constants: Operands of its real parameters.
    """
    if kernel in (relu_forward, relu_backward):
        return RELU
    if kernel in (clipped_line_forward, clipped_line_backward):
        return RELU6 if [operand.label for operand in constants] == LINE_OF_RELU6 else NONE
    return NONE


def fuse_activations(draft) -> None:
    """Where nobody but an activation reads a value, the call that makes the value applies the activation too.

    Args:
        draft: The `Draft`.
    """
    for call in draft.forward:
        code = code_of(call.kernel, call.args[2:]) if call.kernel else NONE
        if code != NONE:
            _fuse(draft, call, code)


def _fuse(draft, call, code):
    after, before = call.args[:2]
    value, result = before.block, after.block
    producer, *others = draft.users(value)
    if producer.kernel not in APPLYING or producer.args[-1] != NONE or producer.target is not value:
        return
    if not draft.is_free(value) or draft.users(result)[0] is not call:
        return
    if not (covers(before) and covers(after) and covers(producer.args[0]) and value.dtype == result.dtype):
        return
    slopes = [other for other in others if other is not call]
    if any(c.kernel not in TOLD_FROM_RESULT or c.args[3].block is not result for c in slopes):
        return
    if any(a.block is value for c in slopes for a in (c.args[0], c.args[1], *c.args[3:])):
        return
    draft.remove(call)
    draft.replace(producer, producer.kernel, (*producer.args[:-1], code))
    draft.move(value, result)
