"""Engines that draw from a built model."""

from bayescale.sample.nuts import Compiled, Progress, compile_model, draw

__all__ = ["Compiled", "Progress", "compile_model", "draw"]
