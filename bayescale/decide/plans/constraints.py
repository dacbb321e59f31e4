"""What a plan may not exceed besides its budget: tokens, memory, latency, days, money; each a limit on N, D or FLOP."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np

from bayescale.decide.costs.budget import Budget
from bayescale.decide.costs.costing import DRAWS
from bayescale.decide.costs.hardware import Hardware, get_hardware, hardware_table
from bayescale.decide.costs.rates import HOURS_A_DAY
from bayescale.errors import PlanError
from bayescale.posterior.uncertain import POSITIVE, draws_of

On = Literal["params", "tokens", "compute"]
BYTES_A_GB = 1e9
BYTES_PER_WEIGHT = 2.0  # bf16
WITHIN = 1e-9  # relative: a candidate that costs all of the budget is within it


@dataclass(frozen=True)
class Limit:
    """One constraint as a bound on N, D or 6·N·D.

    Attributes
    ----------
    name : str
        Of the constraint.
    on : {"params", "tokens", "compute"}
    most : float
        The largest N, D or FLOP that keeps it.
    stated : float
        The same in the constraint's own unit.
    unit : str
    """

    name: str
    on: On
    most: float
    stated: float
    unit: str

    def broken(self, value: float) -> str | None:
        """Why an N, D or FLOP is too much; None where it is not."""
        if value <= self.most * (1.0 + WITHIN):
            return None
        needs = value / self.most * self.stated
        return f"{self.name}: needs {needs:.3g} {self.unit}, {self.stated:.3g} are allowed"


@dataclass(frozen=True)
class Infeasible:
    """Actions that a plan leaves out, and why.

    Attributes
    ----------
    params_lo, params_hi : float
        The N that are left out; one and the same for a candidate of a list.
    tokens : float or None
        D of a candidate; None for a range of N along the budget.
    reason : str
    """

    params_lo: float
    params_hi: float
    tokens: float | None
    reason: str


@dataclass(frozen=True, kw_only=True)
class Constraints:
    """What an action (N, D) may not exceed, besides the budget.

    Parameters
    ----------
    tokens : float, optional
        Training tokens available: the largest D.
    days : float, optional
        Deadline: days on the clock for 6·N·D FLOP; needs ``accelerators``, and hardware and MFU in the budget.
    dollars : float, optional
        Money for 6·N·D FLOP; needs the prices in the budget.
    bytes_per_param : float, optional
        Memory that training takes, spread over the accelerators: bounds N by theirs. Adam in mixed precision takes 16
        (Rajbhandari et al. 2020, arXiv:1910.02054, §3.1). Needs ``accelerators``, and hardware in the budget.
    accelerators : float, optional
        How many run side by side.
    latency : float, optional
        Seconds that serving one token of one sequence may take. Bound by memory: every weight is read once a token,
        N·bytes_per_weight over the bandwidth of the accelerators that serve (Pope et al. 2022, arXiv:2211.05102, §2);
        these must also hold the weights. Needs hardware in the budget, of a known bandwidth.
    bytes_per_weight : float, optional
        Of the weights served: 2 by default, bf16.
    serving_accelerators : float, optional
        Of the budget's hardware, over which the weights of one copy are spread: 1 by default. What they say to each
        other, and reading the cache of the context, takes no time here.

    Raises
    ------
    PlanError
        For a number that is not positive.

    Notes
    -----
    An uncertain price or utilisation is taken at its median.
    """

    tokens: float | None = None
    days: float | None = None
    dollars: float | None = None
    bytes_per_param: float | None = None
    accelerators: float | None = None
    latency: float | None = None
    bytes_per_weight: float | None = None
    serving_accelerators: float | None = None

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            if value is not None:
                draws_of(value, f"constraints.{name}", POSITIVE, 1)
        for name in ("bytes_per_weight", "serving_accelerators"):
            if getattr(self, name) is not None and self.latency is None:
                raise PlanError(
                    f"constraints.{name} is of serving: give latency, seconds per token"
                )

    def stated(self) -> dict[str, float]:
        """Those that were given."""
        return {name: float(value) for name, value in asdict(self).items() if value is not None}

    def limits(self, budget: Budget) -> list[Limit]:
        """The constraints as bounds on N, D and FLOP.

        Raises
        ------
        PlanError
            Naming what the budget lacks to read them.
        """
        found = []
        if self.tokens is not None:
            found.append(Limit("tokens", "tokens", self.tokens, self.tokens, "tokens"))
        count = float(self.accelerators or 0.0)
        if self.bytes_per_param is not None:
            _require("bytes_per_param", accelerators=self.accelerators, hardware=budget.hardware)
            memory = get_hardware(str(budget.hardware)).memory_gb * count
            most = memory * BYTES_A_GB / self.bytes_per_param
            found.append(Limit("memory", "params", most, memory, "GB"))
        if self.latency is not None:
            _require("latency", hardware=budget.hardware)
            found += self._serving(get_hardware(str(budget.hardware)), self.latency)
        if self.days is not None:
            have = {"hardware": budget.hardware, "mfu": budget.mfu}
            _require("days", accelerators=self.accelerators, **have)
            most = self.days * _flop_a_day(budget) * count
            found.append(Limit("days", "compute", most, self.days, "days"))
        if self.dollars is not None:
            rate = budget.flop_per_dollar
            if rate is None:
                raise PlanError(
                    "constraints.dollars needs price_per_hour, mfu and hardware in the budget"
                )
            found.append(Limit("dollars", "compute", self.dollars * rate, self.dollars, "$"))
        return found

    def _serving(self, chip: Hardware, latency: float) -> list[Limit]:
        """The largest N whose weights are read in time, and are held, by the accelerators that serve."""
        if chip.bandwidth is None:
            known = ", ".join(n for n, one in hardware_table().items() if one.bandwidth is not None)
            raise PlanError(
                f"constraints.latency: the bandwidth of {chip.name} is not known "
                f"(take one of {known}, or leave latency out)"
            )
        count = self.serving_accelerators or 1.0
        weight = self.bytes_per_weight or BYTES_PER_WEIGHT
        memory = chip.memory_gb * count
        return [
            Limit(
                "latency", "params", latency * chip.bandwidth * count / weight, latency, "s a token"
            ),
            Limit("serving memory", "params", memory * BYTES_A_GB / weight, memory, "GB"),
        ]


def _require(name: str, **have: Any) -> None:
    missing = [key for key, value in have.items() if value is None]
    if missing:
        raise PlanError(
            f"constraints.{name} needs {' and '.join(missing)}: accelerators in the constraints, the rest in the budget"
        )


def _flop_a_day(budget: Budget) -> float:
    """Useful FLOP of one accelerator, in the median; what is repeated or lost takes its days too."""
    mfu = 0.0 if budget.mfu is None else budget.mfu
    own = [v.size for v in (mfu, budget.restarts, budget.failed) if isinstance(v, np.ndarray)]
    rates = budget.rates(str(budget.hardware), mfu, own[0] if own else DRAWS)
    return float(np.median(rates.flop)) * HOURS_A_DAY
