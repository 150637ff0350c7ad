"""Callbacks: what happens between the batches and epochs of `fit`, `evaluate` and `predict`."""

from dseq.callbacks.callback import Callback
from dseq.callbacks.callback_list import CallbackList
from dseq.callbacks.early_stopping import EarlyStopping
from dseq.callbacks.history import History
from dseq.callbacks.lambda_callback import LambdaCallback
from dseq.callbacks.logs import LazyLogs
from dseq.callbacks.model_checkpoint import ModelCheckpoint
from dseq.callbacks.progress import ProgbarLogger
from dseq.callbacks.terminate_on_nan import TerminateOnNaN

__all__ = [
    "Callback",
    "CallbackList",
    "EarlyStopping",
    "History",
    "LambdaCallback",
    "LazyLogs",
    "ModelCheckpoint",
    "ProgbarLogger",
    "TerminateOnNaN",
]
