"""What needs PyTorch or Keras: `make oracles` runs it in an environment that has them."""
