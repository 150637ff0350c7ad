"""All layers, under Keras' names."""

from dseq.layers.activations.activation import Activation
from dseq.layers.activations.elu import ELU
from dseq.layers.activations.leaky_relu import LeakyReLU
from dseq.layers.activations.prelu import PReLU
from dseq.layers.activations.relu import ReLU
from dseq.layers.activations.softmax import Softmax
from dseq.layers.core.dense import Dense
from dseq.layers.core.identity import Identity
from dseq.layers.core.input_layer import Input, InputLayer
from dseq.layers.core.lambda_layer import Lambda
from dseq.layers.core.wrapper import Wrapper
from dseq.layers.layer import Layer
from dseq.layers.merging.add import Add, add
from dseq.layers.merging.average import Average, average
from dseq.layers.merging.concatenate import Concatenate, concatenate
from dseq.layers.merging.dot import Dot, dot
from dseq.layers.merging.maximum import Maximum, maximum
from dseq.layers.merging.minimum import Minimum, minimum
from dseq.layers.merging.multiply import Multiply, multiply
from dseq.layers.merging.subtract import Subtract, subtract
from dseq.layers.preprocessing.rescaling import Rescaling
from dseq.layers.regularization.dropout import Dropout
from dseq.layers.reshaping.flatten import Flatten
from dseq.layers.reshaping.permute import Permute
from dseq.layers.reshaping.repeat_vector import RepeatVector
from dseq.layers.reshaping.reshape import Reshape
from dseq.layers.rnn.time_distributed import TimeDistributed

__all__ = [
    "Activation",
    "Add",
    "Average",
    "Concatenate",
    "Dense",
    "Dot",
    "Dropout",
    "ELU",
    "Flatten",
    "Identity",
    "Input",
    "InputLayer",
    "Lambda",
    "Layer",
    "LeakyReLU",
    "Maximum",
    "Minimum",
    "Multiply",
    "PReLU",
    "Permute",
    "ReLU",
    "RepeatVector",
    "Rescaling",
    "Reshape",
    "Softmax",
    "Subtract",
    "TimeDistributed",
    "Wrapper",
    "add",
    "average",
    "concatenate",
    "dot",
    "maximum",
    "minimum",
    "multiply",
    "subtract",
]
