"""Callbacks: what happens between the batches and epochs of `fit`, `evaluate` and `predict`."""

from dseq.callbacks.backup_and_restore import BackupAndRestore
from dseq.callbacks.callback import Callback
from dseq.callbacks.callback_list import CallbackList
from dseq.callbacks.csv_logger import CSVLogger
from dseq.callbacks.early_stopping import EarlyStopping
from dseq.callbacks.history import History
from dseq.callbacks.lambda_callback import LambdaCallback
from dseq.callbacks.learning_rate_scheduler import LearningRateScheduler
from dseq.callbacks.logs import LazyLogs
from dseq.callbacks.model_checkpoint import ModelCheckpoint
from dseq.callbacks.position import Position
from dseq.callbacks.progress import ProgbarLogger
from dseq.callbacks.reduce_lr_on_plateau import ReduceLROnPlateau
from dseq.callbacks.remote_monitor import RemoteMonitor
from dseq.callbacks.swap_ema_weights import SwapEMAWeights
from dseq.callbacks.tensorboard import TensorBoard
from dseq.callbacks.terminate_on_nan import TerminateOnNaN

__all__ = [
    "BackupAndRestore",
    "CSVLogger",
    "Callback",
    "CallbackList",
    "EarlyStopping",
    "History",
    "LambdaCallback",
    "LazyLogs",
    "LearningRateScheduler",
    "ModelCheckpoint",
    "Position",
    "ProgbarLogger",
    "ReduceLROnPlateau",
    "RemoteMonitor",
    "SwapEMAWeights",
    "TensorBoard",
    "TerminateOnNaN",
]
