"""The rules that need the whole parameter tree or score other weights, each against its paper and against Optax."""

PAPERS = {}
