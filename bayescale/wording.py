"""Counts in messages, with the noun in its right number."""

from __future__ import annotations


def counted(number: int, noun: str) -> str:
    """Write a count with its noun: ``1 row``, ``2 rows``, ``1 family``, ``2 families``."""
    if number == 1:
        return f"1 {noun}"
    return f"{number} {noun[:-1]}ies" if noun.endswith("y") else f"{number} {noun}s"
