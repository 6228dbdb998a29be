"""Frozen values that travel between the layers; standard library only."""
