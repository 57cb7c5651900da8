"""The recorder needs PyTorch, which the tests do not: it is run by itself, and nothing here is collected."""

collect_ignore_glob = ["*.py"]
