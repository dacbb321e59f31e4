"""An equation of a law as a terminal can show it: the LaTeX that laws carry, spelled in Unicode."""

from __future__ import annotations

import re

_WORDS = {
    r"\left": "",
    r"\right": "",
    r"\quad": "  ",
    r"\,": " ",
    r"\alpha": "α",
    r"\beta": "β",
    r"\gamma": "γ",
    r"\delta": "δ",
    r"\kappa": "κ",
    r"\lambda": "λ",
    r"\rho": "ρ",
    r"\eta": "η",
    r"\zeta": "ζ",
    r"\propto": "∝",
    r"\bar{η}": "η̄",
    r"\tilde{η}": "η̃",
    r"\omega": "ω",
    r"\ell": "ℓ",
    r"_\infty": "∞",
    r"_0": "₀",
    r"_1": "₁",
    r"_2": "₂",
    r"\hat{E}": "Ê",
    r"\tilde{L}": "L̃",
    r"\Delta": "Δ",
    r"\sum": "Σ",
    r"\log ": "log ",
    "-": "−",
}


def readable(latex: str) -> str:
    """Spell an equation without LaTeX, e.g. ``L = L∞ + κ C^−α``."""
    text = latex
    for word, sign in _WORDS.items():
        text = text.replace(word, sign)
    text = re.sub(r"_\{([^{}]*)\}", r"_\1", text)
    text = re.sub(r"\^\{([^{}/ ]*)\}", r"^\1", text)
    text = re.sub(r"\^\{([^{}]*)\}", r"^(\1)", text)
    return re.sub(r"(?<=\S) {2,}(?=\S)", "  ", text)
