"""Priors that a caller states in place of a model file's, and the change of coordinates that some of them ask for."""

from __future__ import annotations

from collections.abc import Mapping

from bayescale.errors import ModelError, unknown
from bayescale.laws import Law
from bayescale.spec.model import ModelSpec, ParameterModel
from bayescale.spec.prior import Prior


def override(spec: ModelSpec, law: Law, overridden: Mapping[str, str]) -> dict[str, ParameterModel]:
    """Parameters of a model, σ and other scales included, with the caller's priors in place of the file's."""
    stated = {**spec.parameters, **spec.scales}
    known = [*law.parameters, *spec.scales]
    for name in overridden:
        if name not in known:
            raise unknown("parameter", name, known, f"prior override for model {spec.name!r}")
    exponents = {"alpha", "a"} & stated.keys()
    if exponents == {"alpha", "a"} and overridden.keys() & {"beta", "delta"}:
        if overridden.keys() & {"alpha", "a"}:
            raise ModelError("state priors on (alpha, a) or on (beta, delta), not on both")
        # Exponents of laws without a floor are much smaller in print.
        bare = "L_inf" in stated and stated["L_inf"].fixed == 0.0
        stated |= {
            name: ParameterModel(
                prior="exponent_no_floor" if bare else name, pool=stated["alpha"].pool
            )
            for name in ("beta", "delta")
        }
        del stated["alpha"], stated["a"]
    if "T" in stated and overridden.keys() & {"R0", "L_inf"}:
        if overridden.keys() & {"T", "phi"}:
            raise ModelError("state priors on (T, phi) or on (R0, L_inf), not on both")
        level, floor = (
            ("level_odds", "floor_error") if law.link.bounded else ("level_share", "floor_share")
        )
        stated |= {
            "R0": ParameterModel(prior=level, pool=stated["T"].pool),
            "L_inf": ParameterModel(prior=floor, pool=stated["phi"].pool),
        }
        del stated["T"], stated["phi"]
    for name, text in overridden.items():
        if name not in stated:
            raise unknown("parameter", name, stated, f"model {spec.name!r}")
        pool = stated[name].pool
        stated[name] = ParameterModel(prior=str(Prior.parse(text, f"prior of {name}")), pool=pool)
    return stated
