"""Keras' utilities, by its names."""

from dseq.backend import clear_session, is_keras_tensor, standardize_dtype
from dseq.callbacks.progress import Progbar
from dseq.data.images import image_dataset_from_directory
from dseq.data.py_dataset import PyDataset
from dseq.data.windows import timeseries_dataset_from_array
from dseq.models.plot import model_to_dot, plot_model
from dseq.program.seeds import set_random_seed
from dseq.saving.serialization import (
    CustomObjectScope,
    custom_object_scope,
    deserialize_keras_object,
    get_custom_objects,
    get_registered_name,
    get_registered_object,
    register_keras_serializable,
    serialize_keras_object,
)
from dseq.utils.batch_parts import pack_x_y_sample_weight, unpack_x_y_sample_weight
from dseq.utils.get_file import get_file
from dseq.utils.image_files import array_to_img, img_to_array, load_img, save_img
from dseq.utils.normalize import normalize
from dseq.utils.pad_sequences import pad_sequences
from dseq.utils.split_dataset import split_dataset
from dseq.utils.to_categorical import to_categorical

Sequence = PyDataset  # its name in Keras 2

__all__ = [
    "CustomObjectScope",
    "Progbar",
    "PyDataset",
    "Sequence",
    "array_to_img",
    "clear_session",
    "custom_object_scope",
    "deserialize_keras_object",
    "get_custom_objects",
    "get_file",
    "get_registered_name",
    "get_registered_object",
    "image_dataset_from_directory",
    "img_to_array",
    "is_keras_tensor",
    "load_img",
    "model_to_dot",
    "normalize",
    "pack_x_y_sample_weight",
    "pad_sequences",
    "plot_model",
    "register_keras_serializable",
    "save_img",
    "serialize_keras_object",
    "set_random_seed",
    "split_dataset",
    "standardize_dtype",
    "timeseries_dataset_from_array",
    "to_categorical",
    "unpack_x_y_sample_weight",
]
