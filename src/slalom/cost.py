"""What a step costs, by a model: plans are made from it, since a plan may not depend on a clock."""

from slalom.layers import Periodic
from slalom.layers.embedding import BY_PRODUCT
from slalom.net import EMBEDDINGS
from slalom.seats import SUPPLIERS
from slalom.step import Structure

# Core-seconds on a core of a 2.6 GHz Xeon with AVX-512, fitted to twenty structures, which it meets within 20 %. On
# another machine all are longer or shorter by about the same factor, which the race finds out (`Pace.slowness`).
FLOP = 1 / 1.55e11
ELEMENT = 0.3e-9  # of a hidden layer and row, and of a cell of a batch
PARAMETER = 0.7e-9
LAYER = 7e-6  # and lane
CURVED = 0.7e-9  # an element of an activation that is not made of straight lines
STRAIGHT = ("relu", "leaky_relu", "identity")
NORMALISED = {"none": 0.0, "batch_norm": 1.3e-9, "layer_norm": 1.9e-9, "group_norm": 1.9e-9}  # an element
EMBEDDED = {"none": 0.0, "periodic": Periodic.waves * 5.6e-9, "piecewise_linear": 16 * 1.5e-9}  # an embedded cell
LOOKUP = 20e-9  # a code's vector
SCATTERED = 125e-9  # its gradient, in a table that is too large for a product
FURTHER = {"none": 0.0, "periodic": 3e-9, "piecewise_linear": 2.5e-9}  # each number of a cell above the embedding's own

RACER = 1.5e-3  # on the host, each time that a racer is taken up: laid out, handed over, taken back
CHECK = 0.3e-3  # on the host, each time that it is scored


# Seconds of the whole device, fitted to the seven shapes of the bench with 64 and 1,024 racers on an NVIDIA H200: a
# lane costs what starting its parts costs, and what memory has to move.
DEVICE_LAYER = 25e-6  # and lane
DEVICE_ELEMENT = 22e-12  # of a hidden layer and row
DEVICE_FLOP = 1e-14


def step_seconds(structure: Structure, width: int, device: str = "cpu") -> float:
    """Worker-seconds of one step of one racer, in a lane of so many, on a kind of device.

    A CPU's worker is a core; a GPU serves its workers one after the other.
    """
    net, batch = structure.net, structure.batch_size
    if device != "cpu":
        work = batch * sum(net.body.hidden) * DEVICE_ELEMENT + net.flops(batch) * DEVICE_FLOP
        return SUPPLIERS * (work + (len(net.body.hidden) + 1) * DEVICE_LAYER / width)
    hidden, curved = net.body.hidden, 0.0 if net.activation in STRAIGHT else CURVED
    cell = EMBEDDED[net.embedding] + (net.size - EMBEDDINGS[net.embedding][1]) * FURTHER[net.embedding]
    acts = net.depth + (net.block == "residual")  # a residual net has one activation a block, and one behind them all
    return (
        net.flops(batch) * FLOP
        + batch
        * net.width
        * (len(hidden) * ELEMENT + net.body.norms_learned * NORMALISED[net.normalisation] + acts * curved)
        + batch * (net.inputs * ELEMENT + net.resolved * cell)
        + batch * sum(LOOKUP + (rows > BY_PRODUCT) * SCATTERED for rows in net.categories)
        + net.parameters * PARAMETER
        + (len(hidden) + 1) * LAYER / width
    )
