"""The layers: one a file, one line each in the registry; the activations stand in one table."""

from slalom.layers.activations import ACTIVATIONS, Activation
from slalom.layers.base import Layer
from slalom.layers.batch_norm import BatchNorm
from slalom.layers.dense import Dense
from slalom.layers.dropout import Dropout
from slalom.layers.layer_norm import LayerNorm

REGISTRY: dict[str, type[Layer]] = {
    "dense": Dense,
    "batch_norm": BatchNorm,
    "layer_norm": LayerNorm,
    "dropout": Dropout,
}

__all__ = ["ACTIVATIONS", "REGISTRY", "Activation", "BatchNorm", "Dense", "Dropout", "Layer", "LayerNorm"]
