"""The registry of laws by name: which core under which link."""

from __future__ import annotations

from bayescale.errors import unknown
from bayescale.laws.core import CORES
from bayescale.laws.law import Law
from bayescale.laws.links import LINKS

LAWS: dict[str, Law] = {
    law.name: law
    for law in (
        Law(
            "parameter-data",
            "joint law of parameters and data",
            CORES["joint"],
            LINKS["floor"],
        ),
        Law(
            "isoflop-profile",
            "isoFLOP profile: a power law along the frontier, a parabola in log N across it",
            CORES["isoflop"],
            LINKS["floor"],
        ),
        Law(
            "product",
            "product of powers of parameters and data",
            CORES["product"],
            LINKS["floor"],
        ),
        Law("compute", "compute law", CORES["compute"], LINKS["floor"]),
        Law("parameter", "parameter law", CORES["params"], LINKS["floor"]),
        Law("data", "data law", CORES["tokens"], LINKS["floor"]),
        *(
            Law(
                f"saturating{suffix}",
                f"error against {against}, between a floor and the random-guess level",
                CORES[core],
                LINKS["saturating"],
            )
            for suffix, against, core in (
                ("", "data", "tokens"),
                ("-parameter", "parameters", "params"),
                ("-compute", "compute", "compute"),
                ("-joint", "parameters and data", "joint"),
            )
        ),
        Law(
            "general-saturating",
            "error against data, between a floor and the random-guess level left at its own rate",
            CORES["tokens"],
            LINKS["general-saturating"],
        ),
        *(
            Law(
                f"error-loss{suffix}",
                f"error of a task against the loss of a first step, {how}",
                CORES["upstream"],
                LINKS[link],
            )
            for suffix, how, link in (
                ("", "a sigmoid from a floor to guessing", "guessing"),
                ("-known", "a sigmoid from a floor to guessing that is known", "saturating"),
                ("-exponential", "an exponential below guessing", "exponential"),
            )
        ),
        Law(
            "coverage",
            "share of problems that none of several samples solves, against the compute of sampling",
            CORES["compute"],
            LINKS["coverage"],
        ),
    )
}


def get_law(name: str, where: str = "") -> Law:
    """Look a law up by name; the error proposes the nearest one."""
    if name not in LAWS:
        raise unknown("law", name, LAWS, where)
    return LAWS[name]
