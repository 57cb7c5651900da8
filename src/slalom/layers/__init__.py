"""The layers: one a file, one line each in the registry; the activations and the initialisers stand in a table each."""

from slalom.layers.activations import ACTIVATIONS, Activation
from slalom.layers.base import Layer, rows_first, rows_last
from slalom.layers.batch_norm import BatchNorm
from slalom.layers.channel_dropout import ChannelDropout
from slalom.layers.dense import Dense
from slalom.layers.dropout import Dropout
from slalom.layers.embedding import Embedding
from slalom.layers.group_norm import GroupNorm
from slalom.layers.initialisers import INITIALISERS, Initialiser
from slalom.layers.instance_norm import InstanceNorm
from slalom.layers.layer_norm import LayerNorm
from slalom.layers.periodic import Periodic
from slalom.layers.piecewise_linear import PiecewiseLinear, quantile_edges
from slalom.layers.scale import Scale

REGISTRY: dict[str, type[Layer]] = {
    "dense": Dense,
    "batch_norm": BatchNorm,
    "layer_norm": LayerNorm,
    "group_norm": GroupNorm,
    "instance_norm": InstanceNorm,
    "dropout": Dropout,
    "channel_dropout": ChannelDropout,
    "periodic": Periodic,
    "piecewise_linear": PiecewiseLinear,
    "embedding": Embedding,
    "scale": Scale,
}

__all__ = [
    "ACTIVATIONS",
    "INITIALISERS",
    "REGISTRY",
    "Activation",
    "BatchNorm",
    "ChannelDropout",
    "Dense",
    "Dropout",
    "Embedding",
    "GroupNorm",
    "Initialiser",
    "InstanceNorm",
    "Layer",
    "LayerNorm",
    "Periodic",
    "PiecewiseLinear",
    "Scale",
    "quantile_edges",
    "rows_first",
    "rows_last",
]
