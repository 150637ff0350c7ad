"""All layers, under Keras' names."""

from dseq.layers.activations.activation import Activation
from dseq.layers.activations.elu import ELU
from dseq.layers.activations.leaky_relu import LeakyReLU
from dseq.layers.activations.prelu import PReLU
from dseq.layers.activations.relu import ReLU
from dseq.layers.activations.softmax import Softmax
from dseq.layers.convolutional.conv1d import Conv1D
from dseq.layers.convolutional.conv1d_transpose import Conv1DTranspose
from dseq.layers.convolutional.conv2d import Conv2D
from dseq.layers.convolutional.conv2d_transpose import Conv2DTranspose
from dseq.layers.convolutional.conv3d import Conv3D
from dseq.layers.convolutional.conv3d_transpose import Conv3DTranspose
from dseq.layers.convolutional.depthwise_conv1d import DepthwiseConv1D
from dseq.layers.convolutional.depthwise_conv2d import DepthwiseConv2D
from dseq.layers.convolutional.separable_conv1d import SeparableConv1D
from dseq.layers.convolutional.separable_conv2d import SeparableConv2D
from dseq.layers.core.dense import Dense
from dseq.layers.core.einsum_dense import EinsumDense
from dseq.layers.core.embedding import Embedding
from dseq.layers.core.identity import Identity
from dseq.layers.core.input_layer import Input, InputLayer
from dseq.layers.core.lambda_layer import Lambda
from dseq.layers.core.masking import Masking
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
from dseq.layers.normalization.batch_normalization import BatchNormalization
from dseq.layers.normalization.group_normalization import GroupNormalization
from dseq.layers.normalization.layer_normalization import LayerNormalization
from dseq.layers.normalization.rms_normalization import RMSNormalization
from dseq.layers.normalization.unit_normalization import UnitNormalization
from dseq.layers.pooling.average_pooling import AveragePooling1D, AveragePooling2D, AveragePooling3D
from dseq.layers.pooling.global_average_pooling import (
    GlobalAveragePooling1D,
    GlobalAveragePooling2D,
    GlobalAveragePooling3D,
)
from dseq.layers.pooling.global_max_pooling import GlobalMaxPooling1D, GlobalMaxPooling2D, GlobalMaxPooling3D
from dseq.layers.pooling.max_pooling import MaxPooling1D, MaxPooling2D, MaxPooling3D
from dseq.layers.preprocessing.image.auto_contrast import AutoContrast
from dseq.layers.preprocessing.image.center_crop import CenterCrop
from dseq.layers.preprocessing.image.random_brightness import RandomBrightness
from dseq.layers.preprocessing.image.random_color_degeneration import RandomColorDegeneration
from dseq.layers.preprocessing.image.random_color_jitter import RandomColorJitter
from dseq.layers.preprocessing.image.random_contrast import RandomContrast
from dseq.layers.preprocessing.image.random_crop import RandomCrop
from dseq.layers.preprocessing.image.random_erasing import RandomErasing
from dseq.layers.preprocessing.image.random_flip import RandomFlip
from dseq.layers.preprocessing.image.random_gaussian_blur import RandomGaussianBlur
from dseq.layers.preprocessing.image.random_grayscale import RandomGrayscale
from dseq.layers.preprocessing.image.random_hue import RandomHue
from dseq.layers.preprocessing.image.random_invert import RandomInvert
from dseq.layers.preprocessing.image.random_posterization import RandomPosterization
from dseq.layers.preprocessing.image.random_rotation import RandomRotation
from dseq.layers.preprocessing.image.random_saturation import RandomSaturation
from dseq.layers.preprocessing.image.random_sharpness import RandomSharpness
from dseq.layers.preprocessing.image.random_shear import RandomShear
from dseq.layers.preprocessing.image.random_translation import RandomTranslation
from dseq.layers.preprocessing.image.random_zoom import RandomZoom
from dseq.layers.preprocessing.image.resizing import Resizing
from dseq.layers.preprocessing.image.solarization import Solarization
from dseq.layers.preprocessing.normalization import Normalization
from dseq.layers.preprocessing.rescaling import Rescaling
from dseq.layers.regularization.activity_regularization import ActivityRegularization
from dseq.layers.regularization.alpha_dropout import AlphaDropout
from dseq.layers.regularization.dropout import Dropout
from dseq.layers.regularization.gaussian_dropout import GaussianDropout
from dseq.layers.regularization.gaussian_noise import GaussianNoise
from dseq.layers.regularization.spatial_dropout import SpatialDropout1D, SpatialDropout2D, SpatialDropout3D
from dseq.layers.reshaping.cropping import Cropping1D, Cropping2D, Cropping3D
from dseq.layers.reshaping.flatten import Flatten
from dseq.layers.reshaping.permute import Permute
from dseq.layers.reshaping.repeat_vector import RepeatVector
from dseq.layers.reshaping.reshape import Reshape
from dseq.layers.reshaping.up_sampling import UpSampling1D, UpSampling2D, UpSampling3D
from dseq.layers.reshaping.zero_padding import ZeroPadding1D, ZeroPadding2D, ZeroPadding3D
from dseq.layers.rnn.time_distributed import TimeDistributed

# Keras' other names for the same layers.
AvgPool1D = AveragePooling1D
AvgPool2D = AveragePooling2D
AvgPool3D = AveragePooling3D
Convolution1D = Conv1D
Convolution1DTranspose = Conv1DTranspose
Convolution2D = Conv2D
Convolution2DTranspose = Conv2DTranspose
Convolution3D = Conv3D
Convolution3DTranspose = Conv3DTranspose
GlobalAvgPool1D = GlobalAveragePooling1D
GlobalAvgPool2D = GlobalAveragePooling2D
GlobalAvgPool3D = GlobalAveragePooling3D
GlobalMaxPool1D = GlobalMaxPooling1D
GlobalMaxPool2D = GlobalMaxPooling2D
GlobalMaxPool3D = GlobalMaxPooling3D
MaxPool1D = MaxPooling1D
MaxPool2D = MaxPooling2D
MaxPool3D = MaxPooling3D
SeparableConvolution1D = SeparableConv1D
SeparableConvolution2D = SeparableConv2D

__all__ = [
    "Conv1D",
    "Conv1DTranspose",
    "Conv2D",
    "Conv2DTranspose",
    "Conv3D",
    "Conv3DTranspose",
    "DepthwiseConv1D",
    "DepthwiseConv2D",
    "SeparableConv1D",
    "SeparableConv2D",
    "MaxPooling1D",
    "MaxPooling2D",
    "MaxPooling3D",
    "AveragePooling1D",
    "AveragePooling2D",
    "AveragePooling3D",
    "GlobalMaxPooling1D",
    "GlobalMaxPooling2D",
    "GlobalMaxPooling3D",
    "GlobalAveragePooling1D",
    "GlobalAveragePooling2D",
    "GlobalAveragePooling3D",
    "Convolution1D",
    "Convolution1DTranspose",
    "Convolution2D",
    "Convolution2DTranspose",
    "Convolution3D",
    "Convolution3DTranspose",
    "SeparableConvolution1D",
    "SeparableConvolution2D",
    "MaxPool1D",
    "GlobalMaxPool1D",
    "MaxPool2D",
    "GlobalMaxPool2D",
    "MaxPool3D",
    "GlobalMaxPool3D",
    "AvgPool1D",
    "GlobalAvgPool1D",
    "AvgPool2D",
    "GlobalAvgPool2D",
    "AvgPool3D",
    "GlobalAvgPool3D",
    "Activation",
    "ActivityRegularization",
    "Add",
    "AlphaDropout",
    "AutoContrast",
    "Average",
    "BatchNormalization",
    "CenterCrop",
    "Concatenate",
    "Cropping1D",
    "Cropping2D",
    "Cropping3D",
    "Dense",
    "Dot",
    "Dropout",
    "ELU",
    "EinsumDense",
    "Embedding",
    "Flatten",
    "GaussianDropout",
    "GaussianNoise",
    "GroupNormalization",
    "Identity",
    "Input",
    "InputLayer",
    "Lambda",
    "Layer",
    "LayerNormalization",
    "LeakyReLU",
    "Masking",
    "Maximum",
    "Minimum",
    "Multiply",
    "Normalization",
    "PReLU",
    "Permute",
    "RMSNormalization",
    "RandomBrightness",
    "RandomColorDegeneration",
    "RandomColorJitter",
    "RandomContrast",
    "RandomCrop",
    "RandomErasing",
    "RandomGaussianBlur",
    "RandomSharpness",
    "RandomFlip",
    "RandomGrayscale",
    "RandomHue",
    "RandomInvert",
    "RandomPosterization",
    "RandomRotation",
    "RandomSaturation",
    "RandomShear",
    "RandomTranslation",
    "RandomZoom",
    "ReLU",
    "RepeatVector",
    "Rescaling",
    "Reshape",
    "Resizing",
    "Softmax",
    "Solarization",
    "SpatialDropout1D",
    "SpatialDropout2D",
    "SpatialDropout3D",
    "Subtract",
    "TimeDistributed",
    "UnitNormalization",
    "UpSampling1D",
    "UpSampling2D",
    "UpSampling3D",
    "Wrapper",
    "ZeroPadding1D",
    "ZeroPadding2D",
    "ZeroPadding3D",
    "add",
    "average",
    "concatenate",
    "dot",
    "maximum",
    "minimum",
    "multiply",
    "subtract",
]
