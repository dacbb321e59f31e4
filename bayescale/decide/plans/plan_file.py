"""Reading a plan back: what was edited since it was written, or is of an older schema, is refused."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import xarray as xr

from bayescale.decide.plans.constraints import Infeasible
from bayescale.decide.plans.judging import Preferred
from bayescale.decide.plans.plan import PLAN_FORMAT, PLAN_SCHEMA_VERSION, Plan, Recommendation
from bayescale.decide.plans.preregistration import SEAL, RunForecast, content_hash
from bayescale.errors import PlanError


def load_plan(path: str | Path) -> Plan:
    """Read a plan that :meth:`Plan.save` or ``bayescale plan -o`` wrote.

    Raises
    ------
    PlanError
        If the file is missing, no plan, of another schema, or says something else than when its hash was taken.
    """
    source = Path(path)
    content = _read(source)
    if content.get("format") != PLAN_FORMAT:
        raise PlanError(f"{source} is no plan: make one with bayescale plan FIT … -o plan.json")
    version = content.get("schema_version")
    if version != PLAN_SCHEMA_VERSION:
        raise PlanError(
            f"{source} is a plan of schema {version} (this version reads {PLAN_SCHEMA_VERSION}: with the "
            "forecast of a run, a hash and both utilities); make it again with bayescale plan"
        )
    said, found = content.get(SEAL), content_hash(content)
    if said != found:
        raise PlanError(
            f"{source} was changed after it was written: hash mismatch, the file says {str(said)[:12]} "
            f"and holds {found[:12]}; take the original"
        )
    return _plan(content)


def _read(source: Path) -> dict[str, Any]:
    try:
        content = json.loads(source.read_text("utf-8"), parse_constant=_refuse)
    except OSError as error:
        raise PlanError(f"cannot read {source}: {error.strerror or error}") from None
    except ValueError:  # of the text's encoding too
        raise PlanError(f"{source} is no plan: not a JSON file") from None
    if not isinstance(content, dict):
        raise PlanError(f"{source} is no plan: not a JSON object")
    return content


def _refuse(constant: str) -> None:
    raise ValueError(constant)  # NaN and infinity are no JSON, and no plan has them


def _plan(content: Mapping[str, Any]) -> Plan:
    table = {name: ("action", values) for name, values in content["table"].items()}
    frontier = {name: (v["dims"], v["values"]) for name, v in content["frontier"].items()}
    return Plan(
        problem=content["problem"],
        table=xr.Dataset(table),
        frontier=xr.Dataset(frontier),
        optimum=content["optimum"],
        recommendations=tuple(Recommendation(**r) for r in content["recommendations"]),
        by_utility={name: Preferred(**one) for name, one in content["by_utility"].items()},
        regret_set=content["regret_set"],
        p_target_below_floor=content["p_target_below_floor"],
        p_target_tenfold=content["p_target_tenfold"],
        caveats=tuple(content["caveats"]),
        provenance=content["provenance"],
        forecasts=tuple(RunForecast.from_dict(f) for f in content["forecasts"]),
        infeasible=tuple(Infeasible(**one) for one in content.get("infeasible", ())),
    )
