"""The options that state a budget, shared by the commands that spend one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cyclopts import Parameter

from bayescale.cli.options import quantity
from bayescale.errors import PlanError

if TYPE_CHECKING:
    from bayescale.decide import BudgetTable


@Parameter(name="*")
@dataclass(frozen=True)
class Spending:
    """What a training run may cost.

    Parameters
    ----------
    compute
        Budget in FLOP, e.g. 1e24.
    dollars
        Budget in money, e.g. 5e6; needs the price, the utilisation and the hardware.
    price_per_hour
        Dollars per accelerator-hour; a number, or a distribution: 'LogNormal(median=2.7, sigma=0.35)'.
    mfu
        Model FLOP utilisation, in (0, 1]; likewise.
    hardware
        Accelerator, e.g. H100-SXM.
    restarts
        Work repeated after restarts, as a share of the run; likewise.
    failed
        Runs lost for one that succeeds; likewise.
    context
        Counts attention over so many tokens besides 6ND.
    vocabulary
        Counts the output head too, for parameters counted without it.
    """

    compute: str | None = None
    dollars: str | None = None
    price_per_hour: str | None = None
    mfu: str | None = None
    hardware: str | None = None
    restarts: str | None = None
    failed: str | None = None
    context: float | None = None
    vocabulary: float | None = None

    def table(self, instead: str = "") -> BudgetTable:
        """The budget that the options state; ``instead`` says what else could."""
        from bayescale.decide import BudgetTable

        if (self.compute is None) == (self.dollars is None):
            raise PlanError(f"a budget is --compute FLOP or --dollars …, one of the two{instead}")
        if self.dollars is not None and None in (self.price_per_hour, self.mfu, self.hardware):
            raise PlanError("--dollars needs --price-per-hour, --mfu and --hardware to become FLOP")
        compute, dollars = self.compute, self.dollars
        return BudgetTable(
            compute=None if compute is None else quantity("--compute", compute, "compute"),
            dollars=None if dollars is None else quantity("--dollars", dollars, "params"),
            price_per_hour=self.price_per_hour,
            mfu=self.mfu,
            hardware=self.hardware,
            restarts=self.restarts,
            failed=self.failed,
            context=self.context,
            vocabulary=self.vocabulary,
        )
