"""Whether a table can support a model, judged from its design: what is in the way, and what stays at its prior."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from bayescale.runs import Design
from bayescale.runs.describe import AXES, FEW_EPOCHS
from bayescale.spec import ModelSpec
from bayescale.wording import counted
from bayescale.zoo.facts import Facts, columns_needed, reads

Verdict = Literal["supported", "supported in part", "not supported"]
_EXPONENTS = {
    "params": "beta",
    "tokens": "delta",
    "compute": "alpha",
    "upstream_loss": "steepness",
}
_FIRST_STEP = (
    "upstream_loss",
)  # no scale: nothing else need be constant, and no decade is spanned
# Effective experts level off at 239 to 470 (Clark et al. 2022).
_MANY_EXPERTS = 100.0
# What a law assumes of an input that moves and that it does not read.
WITHOUT_EFFECT = " without effect"
# Two exponents and what lies between need a decade each.
_BENT_DECADES = 2.0


@dataclass(frozen=True)
class Support:
    """What a table can do for one model.

    Attributes
    ----------
    model, status : str
        Of the model file.
    verdict : {"supported", "supported in part", "not supported"}
    at_prior : tuple of str
        Parameters that the design cannot reach: after a fit they are as the prior had them, or little better known.
    assumed : tuple of str
        What the model takes as given where others learn it.
    reason : str
        One sentence.
    """

    model: str
    status: str
    verdict: Verdict
    at_prior: tuple[str, ...]
    assumed: tuple[str, ...]
    reason: str


def judge(spec: ModelSpec, facts: Facts, refusal: Callable[[], str] = str) -> Support:
    """Say whether a table supports a model.

    Parameters
    ----------
    spec : ModelSpec
        From :func:`bayescale.zoo.load_model`.
    facts : Facts
        From :func:`bayescale.zoo.facts.gather`.
    refusal : callable
        Says why the model does not resolve on the table, if it does not (:func:`bayescale.spec.resolve`).
    """
    unread = [name for name in sorted(facts.moved) if name not in reads(spec)]
    assumed = (*_assumed(spec), *(name + WITHOUT_EFFECT for name in unread))
    blocked = next(_in_the_way(spec, facts), None) or refusal()
    if blocked:
        return Support(spec.name, spec.status, "not supported", (), assumed, blocked)
    weak = [(own, why) for names, why in _out_of_reach(spec, facts) if (own := _free(spec, names))]
    at_prior = tuple(dict.fromkeys(name for names, _ in weak for name in names))
    said = [why for _, why in weak] or [_spread(spec, facts)]
    said += _on_trust(spec, facts)
    if unread:
        said.append(f"it does not read {', '.join(unread)}, which differ between runs of one scale")
    verdict: Verdict = "supported in part" if at_prior else "supported"
    return Support(spec.name, spec.status, verdict, at_prior, assumed, "; ".join(said))


def _assumed(spec: ModelSpec) -> Iterator[str]:
    for name, entry in spec.parameters.items():
        if entry.prior is None:
            yield f"{name} = {entry.equals or f'{entry.fixed:g}'}"
    if not (spec.drift and spec.drift.walking):
        yield "no drift"


def _free(spec: ModelSpec, names: Iterable[str]) -> list[str]:
    """Those of ``names`` that the model learns: stated with a prior, or exponents that it derives."""
    stated = spec.parameters
    return [
        n
        for n in names
        if (stated[n].prior is not None if n in stated else n in _EXPONENTS.values())
    ]


def _in_the_way(spec: ModelSpec, facts: Facts) -> Iterator[str]:
    """Everything that forbids the model, first things first."""
    law, needed = spec.get_law(), columns_needed(spec, facts.columns)
    lacking = [name for name in needed if name not in facts.columns]
    if lacking:
        yield f"it needs {', '.join(lacking)}: no such column in the table"
        return
    if "experts" in needed and facts.experts <= 1.0:
        yield "every run is dense, so that nothing shows what experts are worth"
    if "unique_tokens" in needed and facts.epochs <= 1.0:
        yield "no token is seen twice, so that nothing shows what repeats are worth"
    for given in law.given:  # what is measured on an axis moves against it
        if given.name in facts.still and given.pivot in (None, "own"):
            yield f"every run has the same {given.name}, so that nothing shows what it does"
    if law.link.bounded and facts.metrics != {"error"}:
        yield f"it is of error rates, and the loss is in {', '.join(sorted(facts.metrics))}"
    yield from _axes_in_the_way(law.inputs, facts)
    if facts.experts_move and "experts" not in needed:
        yield (
            f"it does not read experts, which move (to {facts.experts:g}) within an architecture; each number of them "
            "may be one: columns={'architecture': '<header>'}"
        )
    points, free = facts.points[needed], len(_free(spec, spec.parameters))
    if points <= free:
        yield f"{counted(points, 'distinct point')} for {free} parameters of a curve, which take {free + 1}"


def _axes_in_the_way(inputs: tuple[str, ...], facts: Facts) -> Iterator[str]:
    if not any(facts.moves(AXES[axis]) for axis in inputs):
        yield f"{' and '.join(AXES[axis] for axis in inputs)} constant: nothing shows an exponent"
    elif inputs == ("compute",) and facts.columns.issuperset(("params", "tokens")):
        apart = [d.name for d in facts.designs if d.moves("C") and not _grow_together(d)]
        if apart:
            yield f"loss is no function of C alone where N and D do not grow together ({', '.join(apart)})"
    elif len(inputs) == 1 and inputs not in (("compute",), _FIRST_STEP):
        axis, other = ("N", "D") if inputs == ("params",) else ("D", "N")
        if facts.moves(other):
            yield f"{other} moves too, and its effect would be taken for that of {axis}"


def _grow_together(design: Design) -> bool:
    return design.tied and (design.slope is None or design.slope > 0.0)


def _out_of_reach(spec: ModelSpec, facts: Facts) -> Iterator[tuple[list[str], str]]:
    """Names that stay at their priors if the model has them, with the reason."""
    law, design = spec.get_law(), facts.design
    floor = ["phi", "L_inf"]
    if len(law.inputs) > 1:
        yield _joint(law.inputs, facts)
    if facts.across:
        why = "no architecture has two runs, so that scale is seen only by comparing architectures"
        yield [_EXPONENTS[axis] for axis in law.inputs], why
    for axis in law.inputs:
        if design.short(AXES[axis]) and law.inputs != _FIRST_STEP:
            width = f"{design.decades[AXES[axis]]:.2f} decades, less than one"
            yield [_EXPONENTS[axis], *floor], f"{AXES[axis]} spans {width}"
        if design.decades[AXES[axis]] < _BENT_DECADES:
            shapes = [p.name for bend in law.bends for p in bend.parameters]
            yield shapes, f"a bend in {AXES[axis]} shows over two decades or more"
    if facts.described.narrow:
        tasks = ", ".join(facts.described.narrow)
        yield floor, f"the loss falls too little to show its floor ({tasks})"
    if facts.experts < _MANY_EXPERTS:
        yield (
            ["E_max"],
            f"at most {facts.experts:g} experts, whose worth levels off in the hundreds",
        )
    if facts.epochs <= FEW_EPOCHS:  # which do not show R_D*
        yield ["R_D_star"], f"at most {facts.epochs:.1f} epochs, nearly as good as new tokens"
    if facts.excess <= 1.0:
        yield ["R_N_star"], "no run has more parameters than its unique tokens justify"


def _joint(inputs: tuple[str, ...], facts: Facts) -> tuple[list[str], str]:
    """What of the joint law the directions of N and D leave out, within architectures."""
    still = [axis for axis in inputs if not facts.moves(AXES[axis])]
    if still:
        axis = AXES[still[0]]
        said = facts.design.verdict if not facts.design.moves(axis) else ""
        # With one exponent unseen, so is what it has of the sum of both: a.
        names = ["a", _EXPONENTS[still[0]]]
        return names, said or f"{axis} constant within every architecture"
    apart = ["a", "gamma", "omega", "n_star", "curvature", "fade"]
    if facts.design.tied:
        return apart, facts.design.verdict
    if all(d.tied for d in facts.designs):
        return apart, "D is a power of N within every architecture"
    return [], ""


def _spread(spec: ModelSpec, facts: Facts) -> str:
    wide = [f"{AXES[a]} {facts.design.decades[AXES[a]]:.2f}" for a in spec.get_law().inputs]
    apart = ", which move apart" if len(wide) > 1 else ""
    return f"decades: {', '.join(wide)}{apart}"


def _on_trust(spec: ModelSpec, facts: Facts) -> Iterator[str]:
    """What the model takes to be so and the table does not say, or says otherwise."""
    inputs = spec.get_law().inputs
    if inputs == ("compute",):
        if not facts.columns.issuperset(("params", "tokens")):
            yield "that the runs are compute-optimal is taken on trust"
    elif len(inputs) == 1 and inputs != _FIRST_STEP:
        other = "tokens" if inputs == ("params",) else "params"
        if other not in facts.columns:
            yield f"that {AXES[other]} is constant is taken on trust"
    if facts.epochs > 1.0 and "tokens" in inputs and "unique_tokens" not in reads(spec):
        yield f"repeats (up to {facts.epochs:.1f} epochs) count as new tokens"
    assumed = list(_assumed(spec))
    if assumed:
        yield f"assumes {', '.join(assumed)}"
