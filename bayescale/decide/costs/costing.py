"""`cost`: what training and serving a model takes on a fleet of accelerators; every input may be uncertain."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeGuard

import numpy as np

from bayescale.decide.costs.hardware import Hardware, get_grid, get_hardware
from bayescale.decide.costs.rates import SECONDS_AN_HOUR, Cost, Rates
from bayescale.decide.costs.units import Flop
from bayescale.errors import PlanError
from bayescale.posterior.uncertain import (
    AT_LEAST_ZERO,
    FACTOR,
    POSITIVE,
    SHARE,
    Bounds,
    Uncertain,
    draws_of,
)
from bayescale.runs.flops import training_flop_per_token

#: A forward pass is a third of a training step (Kaplan et al. 2020, §2.1): 2N FLOP a token.
FORWARD_SHARE = 1.0 / 3.0
DRAWS = 4000

LOST = Bounds("a share from 0 to below 1", high=1.0 - 1e-9, closed=True)
_NEEDED: dict[str, Bounds] = {
    "mfu": SHARE,
    "pue": FACTOR,
    "accelerators": POSITIVE,
    "restarts": AT_LEAST_ZERO,
    "failed": AT_LEAST_ZERO,
}


@dataclass(frozen=True, kw_only=True, eq=False)
class Fleet:
    """Accelerators, how well they are used, and what they cost and draw.

    Every number may be uncertain: a number, a distribution as text (``"Beta(alpha=16, beta=24)"``), or draws.

    Parameters
    ----------
    hardware : str
        A name that ``bayescale hardware`` lists.
    mfu : number, distribution or draws
        Model FLOP utilisation while a run makes progress, a share in (0, 1] of the dense peak.
    mfu_at : number, distribution or draws, optional
        How many accelerators that was measured on; with more of them it falls.
    mfu_falls : number, distribution or draws
        Share of the utilisation that is lost with each doubling beyond ``mfu_at``.
    precision : str, optional
        bf16, fp16 or fp8: whose peak; bf16 by default, fp16 where the chip has no bf16.
    price_per_hour : number, distribution or draws, optional
        Dollars per accelerator-hour; that of the table by default.
    accelerators : number, distribution or draws
        How many run side by side.
    watts : number, distribution or draws, optional
        Power per accelerator; by default the board power of the table, which leaves the host out.
    pue : number, distribution or draws
        Power of the building over that of its machines, ≥ 1.
    grid : str, number, distribution or draws
        A region of the table of grids, or kg CO2e per kWh.
    restarts : number, distribution or draws
        Work repeated after restarts, as a share of the run.
    failed : number, distribution or draws
        Runs lost as a whole for one that succeeds.

    Raises
    ------
    PlanError, ModelError, UnknownNameError
        Naming the input, its value and what was expected.
    """

    hardware: str
    mfu: Uncertain
    precision: str | None = None
    price_per_hour: Uncertain | None = None
    accelerators: Uncertain = 1.0
    watts: Uncertain | None = None
    pue: Uncertain = 1.1  # of the sites in Patterson et al. 2021, table 4
    grid: Uncertain = "world"
    restarts: Uncertain = 0.0
    failed: Uncertain = 0.0
    mfu_at: Uncertain | None = None
    mfu_falls: Uncertain = 0.0

    def __post_init__(self) -> None:
        self.chip.flop_per_second(self.precision)
        for name, bounds in _NEEDED.items():
            _check(getattr(self, name), name, bounds)
        if self.mfu_at is not None:
            _check(self.mfu_at, "mfu_at", POSITIVE)
        if _check(self.mfu_falls, "mfu_falls", LOST).any() and self.mfu_at is None:
            raise PlanError("mfu_falls needs mfu_at, how many accelerators mfu was measured on")
        for name, value in self._or_of_table().items():
            if value is not None:
                _check(value, name, POSITIVE)

    @property
    def chip(self) -> Hardware:
        """The accelerator's entry in the table."""
        return get_hardware(self.hardware)

    def _or_of_table(self) -> dict[str, Uncertain | None]:
        """Inputs that the tables give where the user does not; None where neither does."""
        chip, grid = self.chip, self.grid
        return {
            "price_per_hour": chip.price_per_hour
            if self.price_per_hour is None
            else self.price_per_hour,
            "watts": chip.watts if self.watts is None else self.watts,
            "grid": get_grid(grid).kg_per_kwh if _is_region(grid) else grid,
        }

    def rates(self, draws: int = DRAWS, seed: int = 0) -> Rates:
        """Rates per accelerator-hour, draw by draw; draws of an input depend on seed and its name alone."""
        known = {
            name: draws_of(getattr(self, name), name, bounds, draws, seed)
            for name, bounds in _NEEDED.items()
        }
        maybe = {
            name: None if value is None else draws_of(value, name, POSITIVE, draws, seed)
            for name, value in self._or_of_table().items()
        }
        return Rates.of(
            self.chip.flop_per_second(self.precision) * known["mfu"] * self._kept(draws, seed),
            overhead=(1.0 + known["restarts"]) * (1.0 + known["failed"]),
            price_per_hour=maybe["price_per_hour"],
            watts=maybe["watts"],
            pue=known["pue"],
            kg_per_kwh=maybe["grid"],
            accelerators=known["accelerators"],
        )

    def _kept(self, draws: int, seed: int) -> np.ndarray | float:
        """Share of the utilisation that is left on so many accelerators."""
        if self.mfu_at is None:
            return 1.0
        count = draws_of(self.accelerators, "accelerators", POSITIVE, draws, seed)
        measured = draws_of(self.mfu_at, "mfu_at", POSITIVE, draws, seed)
        lost = draws_of(self.mfu_falls, "mfu_falls", LOST, draws, seed)
        return np.asarray((1.0 - lost) ** np.maximum(np.log2(count / measured), 0.0))

    def notes(self) -> list[str]:
        """What was taken from the tables, and what they lack."""
        chip, said = self.chip, []
        precision = self.precision or chip.precision
        said.append(f"peak {chip.flop_per_second(precision):.4g} FLOP/s, dense {precision}")
        if self.price_per_hour is None:
            said.append(
                f"no price of {chip.name} is known: give one for money"
                if chip.price_per_hour is None
                else f"price ${chip.price_per_hour:g} an hour ({chip.price_source}, {chip.price_date})"
            )
        if self.watts is None:
            said.append(
                f"no power of {chip.name} is known: give watts for energy"
                if chip.watts is None
                else f"power {chip.watts:g} W: the board's, without its host"
            )
        if _is_region(self.grid):
            grid = get_grid(self.grid)
            said.append(f"grid {self.grid}: {grid.kg_per_kwh:g} kg CO2e/kWh ({grid.source})")
        return said


def _check(value: Uncertain, name: str, bounds: Bounds) -> np.ndarray:
    return draws_of(value, name, bounds, value.size if isinstance(value, np.ndarray) else 1)


def _is_region(grid: Uncertain) -> TypeGuard[str]:
    """Whether a grid is named; else it is a number or a distribution, as text or not."""
    return isinstance(grid, str) and grid[:1].isalpha() and "(" not in grid


@dataclass(frozen=True, eq=False)
class Costing:
    """What a model costs over its life.

    Attributes
    ----------
    training : Cost
    serving : Cost or None
        Without days: how many accelerators serve is another decision.
    notes : tuple of str
        What was assumed.
    """

    training: Cost
    serving: Cost | None
    notes: tuple[str, ...]

    @property
    def total(self) -> Cost:
        """Training and serving together."""
        return self.training if self.serving is None else self.training + self.serving

    def to_dict(self) -> dict[str, Any]:
        """Median and 90 % interval of every known amount, as plain data."""
        parts = {"training": self.training, "serving": self.serving, "total": self.total}
        return {
            **{
                part: {k: v.quantiles() for k, v in spent.amounts().items()}
                for part, spent in parts.items()
                if spent is not None
            },
            "notes": list(self.notes),
        }


def cost(
    fleet: Fleet,
    *,
    params: Uncertain,
    tokens: Uncertain,
    served_tokens: Uncertain | None = None,
    serving_mfu: Uncertain | None = None,
    context: float | None = None,
    vocabulary: float | None = None,
    layers: float | None = None,
    width: float | None = None,
    draws: int = DRAWS,
    seed: int = 0,
) -> Costing:
    """Cost of training a model, and of serving it, in FLOP, accelerator-hours, days, money, kWh and kgCO2e.

    Parameters
    ----------
    fleet : Fleet
        Where it runs.
    params, tokens : number, distribution or draws
        N and D. Training takes 6·N·D FLOP.
    served_tokens : number, distribution or draws, optional
        Tokens read and written over the model's life, 2·N FLOP each (Sardana et al. 2023, arXiv:2401.00448).
    serving_mfu : number, distribution or draws, optional
        Utilisation while serving, needed with ``served_tokens``: that of training would be far too high.
    context, vocabulary, layers, width : float, optional
        Add attention, and the output head of an N that leaves it out; see
        :func:`bayescale.runs.flops.training_flop_per_token`.
    draws, seed : int
        How many draws, and what keys them: with a fit's number of draws and seed, they go with its draws one by one.

    Raises
    ------
    PlanError, ModelError
        Naming the input, its value and what was expected.

    Examples
    --------
    >>> fleet = Fleet(hardware="H100-SXM", mfu=0.4, price_per_hour=2.7)
    >>> float(cost(fleet, params=70e9, tokens=1.4e12).training.money.draws[0].round(-3))
    1115000.0
    """
    if isinstance(draws, bool) or not isinstance(draws, int) or draws < 1:
        raise PlanError(f"draws = {draws!r} (expected a whole number of at least 1)")
    if (served_tokens is None) != (serving_mfu is None):
        raise PlanError("served_tokens and serving_mfu go together")
    shape = {"context": context, "vocabulary": vocabulary, "layers": layers, "width": width}
    for name, value in shape.items():
        if value is not None:
            draws_of(value, name, POSITIVE, 1)
    if context is None and layers is not None:
        raise PlanError("layers count in the attention term alone: give context= too")
    if context is None and vocabulary is None and width is not None:
        raise PlanError(
            "width counts in attention and output head alone: give context= or vocabulary="
        )

    size = draws_of(params, "params", POSITIVE, draws, seed)
    data = draws_of(tokens, "tokens", POSITIVE, draws, seed)
    per_token = training_flop_per_token(size, context, vocabulary, layers, width)
    training = fleet.rates(draws, seed).spend(Flop(per_token * data))
    serving = None
    if served_tokens is not None and serving_mfu is not None:
        served = draws_of(served_tokens, "served_tokens", POSITIVE, draws, seed)
        serving = _serving_rates(fleet, serving_mfu, draws, seed).spend(
            Flop(FORWARD_SHARE * per_token * served)
        )
    return Costing(training, serving, tuple(fleet.notes()))


def _serving_rates(fleet: Fleet, mfu: Uncertain, draws: int, seed: int) -> Rates:
    """The fleet's rates at another utilisation: no run to repeat, no number of accelerators."""
    busy = draws_of(mfu, "serving_mfu", SHARE, draws, seed)
    whole = fleet.rates(draws, seed)
    return Rates(
        flop=fleet.chip.flop_per_second(fleet.precision) * busy * SECONDS_AN_HOUR,
        money=whole.money,
        kwh=whole.kwh,
        kgco2e=whole.kgco2e,
    )
