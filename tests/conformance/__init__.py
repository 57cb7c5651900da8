"""Every member of every registry, held to the laws of its kind."""
