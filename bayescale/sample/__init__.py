"""Engines that draw from a built model."""

from bayescale.sample.nuts import Compiled, Progress, compile_model, draw
from bayescale.sample.quick import Weighted, draw_quick

__all__ = ["Compiled", "Progress", "Weighted", "compile_model", "draw", "draw_quick"]
