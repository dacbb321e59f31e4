"""Tuning: what a learning rate and a batch size off their optimum cost, in tokens.

The optimum is a pair of power laws of scale (DeepSeek-AI 2024, arXiv:2401.02954; Li et al. 2025, arXiv:2503.04715).
With x and y the logs of the learning rate and of the batch over theirs, a run is worth D' = D·e^(−P) tokens,

    P = c₁·S(q₁, x − ρ₁y) + c₂·S(q₂, x + ρ₂y),    S(q, z) = (e^(qz) − 1 − qz)/q²,

two mechanisms, each zero at the optimum with curvature c, of which one is a rate too high for its batch (noise), the
other a rate and a batch too high together (steps too few and too long). Either costs exponentially where a rate is too
high and linearly where it is too low. That the cost is one of tokens, and no factor of the loss, is what published
grids say: at many N and D it falls with D and hardly with N (case_studies/steplaw).
"""

from __future__ import annotations

from collections.abc import Mapping

from bayescale.laws.core import Axis
from bayescale.laws.namespace import Array, Namespace
from bayescale.laws.parameter import Parameter

# Of the log of tokens: a run beyond has learned nothing, and e^(most) is still a number.
MOST_LOST = 25.0
# No learning rate or batch is that many e-folds from the middle of the fitted ones; what stands for "not said" is.
_UNSAID = -40.0


def _positive(name: str, latex: str, text: str) -> Parameter:
    return Parameter(name, "positive", "shape", "", latex, text)


def _real(name: str, latex: str, text: str) -> Parameter:
    return Parameter(name, "real", "exponent", "", latex, text)


LR_BEST = _positive(
    "lr_best", r"\eta_{best}", "best learning rate at the pivot, over the mean of the fitted ones"
)
BATCH_BEST = _positive(
    "batch_best", "B_{best}", "best batch at the pivot, over the mean of the fitted ones"
)
NOISE_COST = _positive(
    "noise_cost", "c_1", "curvature of the cost of a rate too high for its batch"
)
NOISE_SKEW = _positive("noise_skew", "q_1", "its rate of growth where the rate is too high")
NOISE_BATCH = _positive(
    "noise_batch", r"\rho_1", "power of the batch by which a rate may rise with it"
)
STEP_COST = _positive(
    "step_cost", "c_2", "curvature of the cost of steps that are too few and too long"
)
STEP_SKEW = _positive("step_skew", "q_2", "its rate of growth where rate and batch are too high")
STEP_BATCH = _positive("step_batch", r"\rho_2", "power of the batch that makes steps too long")
SOURCE = (
    "the optimum as in Li et al. 2025, eq. 1, and DeepSeek-AI 2024, eq. 1; "
    "the cost about it by case_studies/steplaw"
)
SHAPE = (NOISE_COST, NOISE_SKEW, NOISE_BATCH, STEP_COST, STEP_SKEW, STEP_BATCH)

_LETTER: dict[Axis, str] = {"params": "N", "tokens": "D", "compute": "C"}


def slopes(axes: tuple[Axis, ...]) -> tuple[Parameter, ...]:
    """Exponents of the optimum in the inputs of a law: of the learning rate, then of the batch."""
    return tuple(
        _real(
            f"{short}_by_{axis}",
            rf"{sign}_{_LETTER[axis]}",
            f"exponent of the best {said} in {_LETTER[axis]}",
        )
        for short, sign, said in (("lr", "l", "learning rate"), ("batch", "b", "batch"))
        for axis in axes
    )


def optimum(
    xp: Namespace, centred: Mapping[str, Array], theta: Mapping[str, Array], axes: tuple[Axis, ...]
) -> tuple[Array, Array]:
    """Logs of the best learning rate and batch over the means of the fitted ones, from centred logs of scale."""
    rate, batch = xp.log(theta["lr_best"]), xp.log(theta["batch_best"])
    for axis in axes:
        rate = rate + theta[f"lr_by_{axis}"] * centred[axis]
        batch = batch + theta[f"batch_by_{axis}"] * centred[axis]
    return rate, batch


def tokens_lost(xp: Namespace, x: Array, y: Array, theta: Mapping[str, Array]) -> Array:
    """P: log of the factor of tokens that is lost ``x`` and ``y`` e-folds from the best learning rate and batch."""
    noise = _skewed(xp, theta["noise_skew"], x - theta["noise_batch"] * y)
    step = _skewed(xp, theta["step_skew"], x + theta["step_batch"] * y)
    return xp.minimum(theta["noise_cost"] * noise + theta["step_cost"] * step, MOST_LOST)


def tuned_to(y: Array, theta: Mapping[str, Array]) -> Array:
    """x of the best learning rate for a batch y e-folds from its own best, where P is still a parabola."""
    noise, step = theta["noise_cost"], theta["step_cost"]
    return y * (noise * theta["noise_batch"] - step * theta["step_batch"]) / (noise + step)


def _skewed(xp: Namespace, skew: Array, z: Array) -> Array:
    """S(q, z), which is z²/2 near zero, exponential above and linear below."""
    t = skew * z
    return (xp.expm1(t) - t) / (skew * skew)


def mistuned(
    xp: Namespace, centred: Mapping[str, Array], theta: Mapping[str, Array], axes: tuple[Axis, ...]
) -> Array:
    """P of each run; zero where neither learning rate nor batch are said.

    A learning rate that is not said is the one tuned to the batch, a batch that is not said the best one.
    """
    rate, batch = optimum(xp, centred, theta, axes)
    says_rate = _said(xp, centred["learning_rate"])
    y = _said(xp, centred["batch_size"]) * (centred["batch_size"] - batch)
    x = says_rate * (centred["learning_rate"] - rate) + (1.0 - says_rate) * tuned_to(y, theta)
    return tokens_lost(xp, x, y, theta)


def _said(xp: Namespace, log: Array) -> Array:
    """One where a value is said, zero where its log is that of none."""
    return xp.minimum(xp.maximum(log - _UNSAID, 0.0), 1.0)


def of_tokens(
    xp: Namespace, centred: Mapping[str, Array], theta: Mapping[str, Array]
) -> dict[str, Array]:
    """Effective log D of a law of N and D."""
    lost = mistuned(xp, centred, theta, ("params", "tokens"))
    return {"tokens": centred["tokens"] - lost}


def of_compute(
    xp: Namespace, centred: Mapping[str, Array], theta: Mapping[str, Array]
) -> dict[str, Array]:
    """Effective log C of a law of C."""
    return {"compute": centred["compute"] - mistuned(xp, centred, theta, ("compute",))}


def span(logs: Mapping[str, Array]) -> dict[Axis, tuple[Array, Array]]:
    """Effective log D: all of it, and a twentieth, which is what common mistakes cost."""
    return {"tokens": (logs["tokens"] - 3.0, logs["tokens"])}


def span_compute(logs: Mapping[str, Array]) -> dict[Axis, tuple[Array, Array]]:
    """The same of log C."""
    return {"compute": (logs["compute"] - 3.0, logs["compute"])}


def latex(axes: tuple[Axis, ...]) -> str:
    """What the effective input is, for the equation of a law."""
    letter = "D" if "tokens" in axes else "C"
    rate, batch = (
        r"\,".join(f"{_LETTER[axis]}^{{{sign}_{_LETTER[axis]}}}" for axis in axes) for sign in "lb"
    )
    best = rf"\eta_{{best}} \propto {rate},\quad B_{{best}} \propto {batch}"
    cost = r"P = c_1 S(q_1, x - \rho_1 y) + c_2 S(q_2, x + \rho_2 y)"
    distance = (
        r"S(q, z) = (e^{qz} - 1 - qz)/q^2,\quad x = \log \eta/\eta_{best},\quad y = \log B/B_{best}"
    )
    return rf"{letter}' = {letter} e^{{-P}},\quad {cost},\quad {distance},\quad {best}"
