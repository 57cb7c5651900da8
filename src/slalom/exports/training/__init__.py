"""Scripts that train a recipe again, with PyTorch or Keras alone: their templates and the parts that these are told."""
