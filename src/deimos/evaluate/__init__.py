"""Decoding models over test problems, and what is measured of the answers. An arm is a model with one way of decoding it."""
