"""Nothing is collected here where PyTorch and Keras are not installed."""

import os
from importlib.util import find_spec

os.environ.setdefault("KERAS_BACKEND", "jax")
collect_ignore_glob = [] if find_spec("torch") and find_spec("keras") else ["test_*.py"]
