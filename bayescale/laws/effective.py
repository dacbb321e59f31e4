"""Effective inputs: what N, D and C are worth, read by a core in their place.

Some say how an input came about and read one further column of the table, others bend the curve along an axis and read
none. A model file names any of :data:`EFFECTIVE`; they apply in that order.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from bayescale.given import GIVEN
from bayescale.laws import (
    batches,
    choices,
    compound,
    farseer,
    mixture,
    precision,
    repeated_data,
    routed,
    schedules,
    sparsity,
    transfer,
    tuning,
)
from bayescale.laws.bends import BENDS, Bend
from bayescale.laws.core import Axis
from bayescale.laws.effect import Effective
from bayescale.laws.namespace import Array, Namespace

_REPEATED = r"D' = U\,(1 + R_D^* (1 - e^{-R_D/R_D^*})),\quad R_D = D/U - 1"
_EXCESS = r"U_N\,(1 + R_N^* (1 - e^{-R_N/R_N^*})),\quad R_N = N/U_N - 1"

_SCALES: tuple[Axis, ...] = ("params", "tokens", "compute")
_SYMBOL: dict[Axis, str] = {"params": "N", "tokens": "D", "compute": "C"}


def _bent(name: str, bend: Bend, axis: Axis) -> Effective:
    """A bend along one axis."""

    def transform(
        xp: Namespace, centred: Mapping[str, Array], theta: Mapping[str, Array]
    ) -> dict[str, Array]:
        return {axis: bend.worth(xp, centred[axis], theta)}

    letter = _SYMBOL[axis]
    return Effective(
        f"{name}-{axis}",
        f"{bend.title}, along {letter}",
        (axis,),
        (),
        bend.parameters,
        transform,
        # Bends that shorten distances from the pivot stay in; beyond its edges a walk keeps its last value.
        lambda logs: {axis: (logs[axis], logs[axis])},
        rf"{letter}'/{letter}_0 = {bend.latex},\quad x = {letter}/{letter}_0",
        bend.source,
    )


def _of_bits(short: str, symbol: str, said: str) -> Effective:
    """Few bits of one kind of number."""
    return Effective(
        f"{short}-bits",
        f"{said} of few bits",
        ("params",),
        (GIVEN[f"{short}_bits"],),
        precision.bits_parameters(short, symbol, said),
        partial(precision.of_params, short),
        partial(precision.span, short),
        rf"N' = N\,(1 - e^{{-(P_{symbol}/P_{symbol}^*)^{{s_{symbol}}}}})",
        "Kumar et al. 2024, appendix K (s = 1)",
    )


def _of_domains(domains: int) -> Effective:
    """A mixture of so many domains."""
    return Effective(
        f"mixture-{domains}",
        f"data of {domains} domains",
        ("tokens",),
        tuple(GIVEN[name] for name in mixture.shares(domains)),
        tuple(mixture.worth_of(j) for j in range(1, domains + 1)),
        partial(mixture.of_tokens, domains),
        mixture.span,
        r"D' = D\,K \sum_j w_j r_j / \sum_j w_j",
        "by case_studies/mixture; effective data as Hernandez et al. 2021",
    )


EFFECTIVE: dict[str, Effective] = {
    effective.name: effective
    for effective in (
        *(_bent(name, bend, axis) for name, bend in BENDS.items() for axis in _SCALES),
        Effective(
            "repeated-data",
            "tokens seen more than once",
            ("params", "tokens"),
            (GIVEN["unique_tokens"],),
            (repeated_data.R_D, repeated_data.R_N),
            repeated_data.repeated,
            repeated_data.span,
            rf"{_REPEATED},\quad N' = N^{{(1-s)}} N''^{{s}},\quad s = (1 - U/D')(1 + 1/R_D^*),\quad N'' = {_EXCESS}",
            "Muennighoff et al. 2023, eqs. 5 and 6, excess parameters counted by the share of repeats",
        ),
        Effective(
            "repeated-data-printed",
            "tokens seen more than once, as printed",
            ("params", "tokens"),
            (GIVEN["unique_tokens"],),
            (repeated_data.R_D, repeated_data.R_N),
            repeated_data.as_printed,
            repeated_data.span,
            rf"{_REPEATED},\quad N' = {_EXCESS}",
            "Muennighoff et al. 2023, eqs. 5 and 6",
        ),
        Effective(
            "routed",
            "experts of which each token sees few",
            ("params",),
            (GIVEN["experts"],),
            (routed.GAIN, routed.FADING, routed.E_START, routed.E_MAX),
            routed.routed,
            routed.span,
            r"N' = N\,(\hat{E}/E_{start})^{g - h \log N}",
            "Clark et al. 2022, eqs. 5 and 6, solved for the dense size of the same loss",
        ),
        Effective(
            "farseer",
            "a data exponent and level that change with N",
            ("params", "tokens"),
            (),
            farseer.PARAMETERS,
            farseer.farseer,
            farseer.span,
            r"A N'^{-\beta} = L_\infty (e^{h (N/N_0)^{-\beta}} - 1),\quad B D'^{-\delta} = B(N) D^{-\delta(N)},\quad "
            r"\log \delta(N)/\delta = g\,(x^k - 1)/k,\quad \log B(N)/B = m\,(x^l - 1)/l,\quad x = N/N_0",
            "Li et al. 2025, arXiv 2506.10972, the law as printed at gamma = 1",
        ),
        Effective(
            "compound",
            "networks made deeper, wider or finer of input than their base",
            ("compute",),
            tuple(GIVEN[name] for name in compound.INPUTS),
            (compound.DEPTH_SHARE, compound.WIDTH_SHARE, compound.BLEND),
            compound.compound,
            compound.span,
            r"C' = C\,[s_d d^{-\alpha/(\gamma s_d)} + s_w w^{-2\alpha/(\gamma s_w)} + s_r r^{-2\alpha/(\gamma s_r)}]"
            r"^{-\gamma/\alpha}/(d\,w^2\,r^2),\quad s_w = (1 - s_d)\,t,\quad s_r = 1 - s_d - s_w",
            "Tan & Le 2019, eqs. 2 and 3, with the saturation of single dimensions of their figure 3 as a law",
        ),
        *(
            _of_bits(*one)
            for one in (
                ("weight", "w", "weights"),
                ("activation", "a", "activations"),
                ("cache", "kv", "keys and values"),
            )
        ),
        *(_of_domains(domains) for domains in range(2, mixture.MOST_DOMAINS + 1)),
        Effective(
            "data-quality",
            "data of a stated quality",
            ("tokens",),
            (GIVEN["quality"],),
            (mixture.QUALITY_POWER,),
            mixture.by_quality,
            mixture.quality_span,
            r"D' = D\,Q^x",
            "B/(D^beta Q^gamma) as quoted, x = gamma/beta",
        ),
        Effective(
            "without-embeddings",
            "parameters less those of embeddings",
            ("params",),
            (GIVEN["vocabulary_params"],),
            (),
            choices.without_embeddings,
            choices.without_embeddings_span,
            r"N' = N - N_v",
            "Tao et al. 2024",
        ),
        Effective(
            "active-share",
            "networks of which a token sees a share",
            ("params",),
            (GIVEN["active_share"],),
            (sparsity.IDLE_WORTH,),
            sparsity.idle,
            sparsity.idle_span,
            r"N' = N\,f^{-g}",
            "by case_studies/sparsity; inputs as Abnar et al. 2025",
        ),
        Effective(
            "granularity",
            "experts cut into finer ones",
            ("params",),
            (GIVEN["granularity"],),
            (sparsity.COARSE_COST, sparsity.GRANULARITY_EXPONENT),
            sparsity.fine,
            sparsity.fine_span,
            r"N' = N\,\left[(1 + \rho)/(1 + \rho\,G^{-\gamma_G})\right]^{1/\beta}",
            "Krajewski et al. 2024",
        ),
        Effective(
            "mistuned",
            "learning rate and batch off their optimum",
            ("params", "tokens"),
            (GIVEN["learning_rate"], GIVEN["batch_size"]),
            (
                tuning.LR_BEST,
                tuning.BATCH_BEST,
                *tuning.slopes(("params", "tokens")),
                *tuning.SHAPE,
            ),
            tuning.of_tokens,
            tuning.span,
            tuning.latex(("params", "tokens")),
            tuning.SOURCE,
        ),
        Effective(
            "mistuned-compute",
            "learning rate and batch off their optimum, by compute",
            ("compute",),
            (GIVEN["learning_rate"], GIVEN["batch_size"]),
            (tuning.LR_BEST, tuning.BATCH_BEST, *tuning.slopes(("compute",)), *tuning.SHAPE),
            tuning.of_compute,
            tuning.span_compute,
            tuning.latex(("compute",)),
            tuning.SOURCE,
        ),
        Effective(
            "schedule",
            "tokens that count by their learning rate",
            ("tokens",),
            (GIVEN["mean_rate"],),
            (),
            schedules.by_mean_rate,
            schedules.span,
            r"D' = D\,\bar{\eta}/\eta_{peak}",
            "Tissue et al. 2024, eq. 1, S_1",
        ),
        Effective(
            "critical-batch",
            "tokens that a batch beyond the critical one wastes",
            ("tokens",),
            (GIVEN["batch_size"],),
            (batches.BATCH_CRITICAL, batches.CRITICAL_BY_TOKENS),
            batches.of_tokens,
            batches.span,
            r"D' = D/(1 + B/B_{crit}),\quad B_{crit} \propto D^{\zeta}",
            "Kaplan et al. 2020, eq. 5.5; McCandlish et al. 2018, eq. 2.11",
        ),
        Effective(
            "transfer",
            "data that pre-training is worth",
            ("params", "tokens"),
            (GIVEN["pretrained"],),
            (transfer.TRANSFER, transfer.TRANSFER_BY_TOKENS, transfer.TRANSFER_BY_PARAMS),
            transfer.transferred,
            transfer.span,
            r"D' = D + p\,k\,D^{a_T} N^{b_T}",
            "Hernandez et al. 2021, eq. 1.1",
        ),
    )
}
