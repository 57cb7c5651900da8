"""Exports: a trained model as files that need no Slalom."""
