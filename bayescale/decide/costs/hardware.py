"""Accelerators and grids as facts with sources: what a chip computes, reads, draws and costs, what a kWh emits."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib import resources
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from bayescale.errors import PlanError, unknown

Precision = Literal["bf16", "fp16", "fp8"]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Text = Annotated[str, Field(min_length=1)]
_PREFERRED: tuple[Precision, ...] = ("bf16", "fp16", "fp8")


class _Fact(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Hardware(_Fact):
    """One accelerator.

    Attributes
    ----------
    name, vendor : str
    peak : dict
        Dense peak, FLOP/s, by precision.
    memory_gb : float
        GB.
    bandwidth : float or None
        Of that memory, bytes/s; None where none could be verified.
    watts : float or None
        Board power; None where the vendor publishes none.
    price_per_hour : float or None
        Dollars per accelerator-hour on the market at ``price_date``, read at ``price_source``.
    source : str
        Of all but the price.
    """

    name: Text
    vendor: Text
    peak: dict[Precision, Positive] = Field(min_length=1)
    memory_gb: Positive
    bandwidth: Positive | None = None
    watts: Positive | None = None
    price_per_hour: Positive | None = None
    price_date: Annotated[str, Field(pattern=r"^\d{4}-\d{2}$")] | None = None
    price_source: Text | None = None
    source: Text

    @model_validator(mode="after")
    def _price_has_a_source(self) -> Hardware:
        if len({v is None for v in (self.price_per_hour, self.price_date, self.price_source)}) > 1:
            raise ValueError("price_per_hour, price_date and price_source go together")
        return self

    @property
    def precision(self) -> Precision:
        """The precision that training takes unless told otherwise: bf16, or fp16 where there is none."""
        return next(p for p in _PREFERRED if p in self.peak)

    def flop_per_second(self, precision: str | None = None) -> float:
        """Dense peak, FLOP/s; raises UnknownNameError for a precision that the chip lacks."""
        for known, peak in self.peak.items():
            if known == (precision or self.precision):
                return peak
        raise unknown("precision", str(precision), self.peak, self.name)


class Grid(_Fact):
    """Carbon intensity of a region's electricity, kg CO2e per kWh."""

    kg_per_kwh: Positive
    year: Annotated[int, Field(ge=2000, le=2100)]
    source: Text


def parse_hardware(content: dict[str, Any], where: str) -> dict[str, Hardware]:
    """Validate a table of accelerators; raises PlanError naming the entry and the field."""
    return {
        name: _validated(Hardware, {"name": name, **entry}, f"{where}, {name}")
        for name, entry in content.items()
    }


def parse_grids(content: dict[str, Any], where: str) -> dict[str, Grid]:
    """Validate a table of grids; raises PlanError naming the entry and the field."""
    return {name: _validated(Grid, entry, f"{where}, {name}") for name, entry in content.items()}


def _validated[T: _Fact](kind: type[T], entry: dict[str, Any], where: str) -> T:
    try:
        return kind.model_validate(entry)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"]) or "entry"
        raise PlanError(f"{where}: {field}: {first['msg']}") from None


def _shipped(name: str) -> dict[str, Any]:
    file = resources.files("bayescale.decide.costs") / "data" / name
    return tomllib.loads(file.read_text(encoding="utf-8"))


@cache
def hardware_table() -> dict[str, Hardware]:
    """All accelerators by name."""
    return parse_hardware(_shipped("hardware.toml"), "hardware.toml")


@cache
def grid_table() -> dict[str, Grid]:
    """All grids by region."""
    return parse_grids(_shipped("grids.toml"), "grids.toml")


def get_hardware(name: str) -> Hardware:
    """Look an accelerator up; the error proposes the nearest name."""
    if name not in hardware_table():
        raise unknown("hardware", name, hardware_table())
    return hardware_table()[name]


def get_grid(name: str) -> Grid:
    """Look a region's grid up; the error proposes the nearest name."""
    if name not in grid_table():
        raise unknown("grid", name, grid_table())
    return grid_table()[name]
