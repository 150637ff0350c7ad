"""Connectionist temporal classification: sequences of labels without times, as in speech and handwriting."""

from dseq.kernels import ctc as kernels
from dseq.kernels.softmax import log_softmax_forward
from dseq.losses.loss import Loss
from dseq.program.operand import flat, matrix


class CTC(Loss):
    """Minus the logarithm of the probability that predictions, read without blanks and repetitions, are the labels.

    Labels `(samples, labels)` are class numbers from 1; 0 is the blank class, and fills up shorter sequences behind
    their end. Predictions are logits `(samples, times, classes)`. Each sample gives one value.

    Args:
        reduction: What becomes of the values, see `Loss`.
        name: Name of the loss.
        dtype: Float type for arrays.
    """

    def __init__(self, reduction="sum_over_batch_size", name="ctc", dtype=None):
        super().__init__(name, reduction, dtype)

    def target(self, y_true_shape, y_pred_shape):
        if len(y_true_shape) != 1:
            raise ValueError(
                "Targets `y_true` are expected to be a tensor of shape `(batch_size, max_length)` in integer format. "
                f"Received: y_true.shape={(None, *y_true_shape)}"
            )
        if len(y_pred_shape) != 2:
            raise ValueError(
                "Logits `y_pred` are expected to be a tensor of shape `(batch_size, max_length, num_classes)`. "
                f"Received: y_pred.shape={(None, *y_pred_shape)}"
            )
        return tuple(y_true_shape), "int32"

    def values_shape(self, y_pred_shape):
        return ()

    def arrange(self, plan, y_true, y_pred):
        return y_true, y_pred

    def normalises(self, y_pred):
        return False  # a mask of time steps is not one of samples; Keras' sequences have their full length too

    def lower_values(self, plan, y_true, y_pred):
        times, classes = y_pred.shape
        fault = plan.fault(
            f"Labels of {self.name} must be class numbers in [1, {classes}), or 0 behind the end of a sequence. "
            "Received: "
        )
        plan.forward(kernels.ctc_check, fault, y_true, classes)
        scores = plan.value(f"{self.name}_scores", y_pred.shape, plan.dtype)
        states = plan.value(f"{self.name}_states", (times + 1, 2 * y_true.shape[0] + 1), "float64")
        values = flat(plan.value(f"{self.name}_values", (1,), plan.dtype))
        plan.forward(log_softmax_forward, matrix(scores), matrix(y_pred))
        plan.forward(kernels.ctc_states, states, y_true, scores)
        plan.forward(kernels.ctc_values, values, y_true, states)
        return values, (scores, states)

    def lower_gradient(self, plan, y_true, y_pred, saved, weight, scale):
        scores, states = saved
        slopes = plan.value(f"{self.name}_slopes", (y_pred.shape[1],), "float64", shared=True)
        room = plan.value(f"{self.name}_room", (2, states.shape[1]), "float64", shared=True)
        plan.backward(kernels.ctc_backward, y_pred.grad, slopes, room, y_true, scores, states, weight, scale)
