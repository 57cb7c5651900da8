"""Folders that earlier versions wrote: later ones must read them and predict the same."""
