"""Modifiers: what a run gains or loses besides its scale, as factors on the reducible loss or terms added to it.

A model file names any of :data:`MODIFIERS`; they apply after the core, in that order, and read further inputs of a run
(:data:`bayescale.given.GIVEN`). A run of which these are missing is as the core says.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

from bayescale.given import GIVEN, Given
from bayescale.laws import batches, choices, distillation, mixture, precision, schedules
from bayescale.laws.namespace import Array, Namespace
from bayescale.laws.parameter import Parameter


@dataclass(frozen=True)
class Modifier:
    """One way from the reducible loss of a core to that of a run.

    Attributes
    ----------
    name, title : str
        Key in :data:`MODIFIERS`, and a few words.
    given : tuple of Given
        Further inputs that it reads.
    parameters : tuple of Parameter
    apply : callable
        ``(xp, log_r, beside, theta) -> log_r``: from log R of the core, the centred logs of the law's inputs as the
        table states them (before effective inputs and drift) and of the given ones, and the completed parameters.
    latex, source : str
        ``latex`` says what R becomes, ``R'``.
    """

    name: str
    title: str
    given: tuple[Given, ...]
    parameters: tuple[Parameter, ...]
    apply: Callable[[Namespace, Array, Mapping[str, Array], Mapping[str, Array]], Array]
    latex: str
    source: str


def _best(name: str, title: str, symbol: str, said: str, source: str) -> Modifier:
    """A factor for a value off its best."""
    return Modifier(
        name,
        title,
        (GIVEN[name],),
        choices.bowl(name, symbol, said),
        partial(choices.off_best, name),
        rf"R' = R\,e^{{c_{{{symbol}}} z^2/2}},\quad z = \log({symbol}/{symbol}^*) - s_{{{symbol}}} \log(N/N_0)",
        source,
    )


def _of_domains(domains: int) -> tuple[Modifier, Modifier]:
    """A mixture of so many domains: a factor, and a term as printed."""
    shares = tuple(GIVEN[name] for name in mixture.shares(domains))
    leans = tuple(mixture.lean_of(j) for j in range(1, domains + 1))
    over = r"\sum_j t_j (r_j - 1/K)"
    return (
        Modifier(
            f"mixture-{domains}",
            f"data of {domains} domains, as a factor",
            shares,
            leans,
            partial(mixture.leaned, domains),
            rf"R' = R\,e^{{{over}}}",
            "Ye et al. 2024, as a factor",
        ),
        Modifier(
            f"mixture-printed-{domains}",
            f"data of {domains} domains, as printed",
            shares,
            (mixture.TERM_LEVEL, *leans),
            partial(mixture.added, domains),
            rf"R' = R + k\,e^{{{over}}}",
            "Ye et al. 2024",
        ),
    )


MODIFIERS: dict[str, Modifier] = {
    modifier.name: modifier
    for modifier in (
        Modifier(
            "rounding",
            "weights rounded after training",
            (GIVEN["post_bits"],),
            (
                precision.POST_LEVEL,
                precision.POST_BITS,
                precision.POST_TOKENS,
                precision.POST_PARAMS,
            ),
            precision.rounded,
            r"R' = R + \Delta_4\,(D/D_0)^{\gamma_D} (N/N_0)^{-\gamma_N} e^{-(P - 4)/P_{post}^*}",
            "Kumar et al. 2024, appendix K",
        ),
        *(modifier for k in range(2, mixture.MOST_DOMAINS + 1) for modifier in _of_domains(k)),
        _best(
            "vocabulary",
            "a vocabulary off its best",
            "V",
            "vocabulary",
            "by case_studies/vocabulary; a best vocabulary that grows with N: Tao et al. 2024",
        ),
        _best(
            "aspect_ratio",
            "a shape off its best",
            "a",
            "ratio of width to depth",
            "Kaplan et al. 2020, to second order",
        ),
        Modifier(
            "embeddings",
            "what embeddings lose, as printed",
            (GIVEN["vocabulary_params"],),
            (choices.VOCABULARY_TERM, choices.VOCABULARY_EXPONENT),
            choices.of_embeddings,
            r"R' = R + A_V (N_v/N_0)^{-\beta_V}",
            "Tao et al. 2024",
        ),
        Modifier(
            "distilled",
            "a student between its teacher and itself alone",
            (GIVEN["teacher_loss"], GIVEN["student_loss"]),
            (
                distillation.TEACHER_POWER,
                distillation.GAP_POWER,
                distillation.GAP_AT,
                distillation.GAP_SOFTNESS,
            ),
            distillation.distilled,
            r"R' = L_T + L_T^{-c_0} \left(1 + (L_T/(\tilde{L}_S d_1))^{1/f_1}\right)^{-c_1 f_1} R",
            "Busbridge et al. 2025, as quoted",
        ),
        Modifier(
            "annealing",
            "loss that a learning rate which has not fallen holds up",
            (GIVEN["end_rate"],),
            (schedules.HILL,),
            schedules.held_up,
            r"R' = R + H\,\tilde{\eta}/\eta_{peak}",
            "Tissue et al. 2024, eq. 1, S_2",
        ),
        Modifier(
            "steps",
            "loss to too few steps",
            (GIVEN["optimizer_steps"],),
            (batches.STEP_SHARE, batches.STEP_EXPONENT),
            batches.with_steps,
            r"R' = R + s R_0 (S/S_0)^{-\alpha_S}",
            "Kaplan et al. 2020, eq. 1.6",
        ),
    )
}
