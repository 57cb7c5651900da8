"""The bench: how fast racers train on this machine, beside PyTorch, scikit-learn, plain JAX and the matrix product.

Every contestant runs in processes of its own, one contestant after the other, on the same made data, already in memory,
with the same float type, batches, number of steps and starting weights of the same size; its loss at the end is told.
"""
