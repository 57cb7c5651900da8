"""Slalom finds out how a neural network should be trained on a data set, by racing hundreds of recipes side by side."""
