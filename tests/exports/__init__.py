"""Exports that are text: scripts that train a recipe again."""
