"""Counts as people write them."""

from __future__ import annotations

import math


def si(value: float) -> str:
    """A count as people write it: 70.2B, 1.4T."""
    for unit, scale in (("T", 1e12), ("B", 1e9), ("M", 1e6), ("k", 1e3)):
        if abs(value) >= scale and math.isfinite(value):
            return f"{value / scale:.3g}{unit}"
    return f"{value:.3g}"
