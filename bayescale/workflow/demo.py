"""`demo`: the whole main job on an embedded published table, from the runs to a folder of results."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import pandas as pd

from bayescale.decide import Budget, CVaR, Expectation, Plan, Risk, plan
from bayescale.errors import BayescaleError
from bayescale.posterior import Fit, New
from bayescale.predict import Forecast, assumption, predict
from bayescale.runs import load_runs
from bayescale.workflow.fitting import Report, fit

DATASET = "pile-families"
FAMILY = "Pythia"
NEW_FAMILY = New("family")
FOLDER = "bayescale-demo"
BUDGET = 1e24
PARAMS, TOKENS = 70e9, 1.4e12
# More would take longer than the second round of chains that a seed may need; steps so small that no chain sticks.
DRAWS, TUNE, ACCEPT = 2000, 500, 0.9
SHOWN = {"beta": "β", "delta": "δ", "alpha": "α", "L_inf": "L∞"}

# Share of the whole job done when a stage of the fit begins, and when it ends (measured on two cores, nothing cached).
_STAGES = {
    "loading the sampler": (0.04, 0.12),
    "compiling": (0.12, 0.58),
    "settling": (0.58, 0.61),
    "sampling": (0.61, 0.80),
    "sampling as many chains more": (0.80, 0.83),
    "sampling again, 2 times as long": (0.83, 0.84),
    "sampling again, 4 times as long": (0.84, 0.85),
}


@dataclass(frozen=True, eq=False)
class DemoResult:
    """What the demo found and wrote.

    Attributes
    ----------
    folder : Path
        The new folder.
    files : tuple of Path
        Everything in it.
    fit : Fit
        Of the joint law to six families, pooled.
    posterior : DataFrame
        β, δ, α and L∞ by group: ``parameter, group``, median, 50 % and 90 % equal-tailed intervals.
    forecast : Forecast
        Of one run at 70B parameters and 1.4T tokens, for a known and a new family.
    plan : Plan
        Of 1e24 FLOP at two risk levels.
    text : str
        All of it as printed, caveats included; ``summary.txt`` holds the same.
    """

    folder: Path
    files: tuple[Path, ...]
    fit: Fit
    posterior: pd.DataFrame
    forecast: Forecast
    plan: Plan
    text: str


def demo(out: Path | None = None, seed: int = 0, report: Report | None = None) -> DemoResult:
    """Run the main job on the embedded table of six model families.

    Parameters
    ----------
    out : Path, optional
        Existing folder in which the new one is made; the current folder by default.
    seed : int
        Of the sampler and of every draw after it.
    report : callable, optional
        Takes (stage, fraction of the whole job done).

    Returns
    -------
    DemoResult

    Raises
    ------
    BayescaleError
        If ``out`` is no folder that can be written to; checked before the fit.
    ConvergenceError
        If the fit misses the gate.
    """
    tell = report if report is not None else _silent
    with _new_folder(Path.cwd() if out is None else out) as (beside, settle):
        tell("reading the table", 0.0)
        runs = load_runs(DATASET)
        fitted = fit(
            runs,
            draws=DRAWS,
            tune=TUNE,
            target_accept=ACCEPT,
            seed=seed,
            progress=_within(tell),
        )
        tell("forecasting", 0.85)
        posterior = _posterior(fitted)
        forecast = predict(
            fitted, params=PARAMS, tokens=TOKENS, architecture=[FAMILY, NEW_FAMILY], kind="run"
        )
        tell("planning", 0.86)
        risks: list[Risk] = [Expectation(), CVaR(0.1)]
        planned = plan(fitted, Budget(compute=BUDGET), risks, architecture=FAMILY)
        text = _text(fitted, posterior, forecast, planned, str(runs.describe()))
        fitted.save(beside / "fit.nc")
        planned.save(beside / "plan.json")
        (beside / "summary.txt").write_text(text + "\n", encoding="utf-8")
        _draw(fitted, planned, beside, tell)
        folder = settle()
    tell("done", 1.0)
    files = tuple(sorted(folder.iterdir()))
    return DemoResult(folder, files, fitted, posterior, forecast, planned, text)


def _silent(stage: str, fraction: float) -> None:
    return None


def _within(tell: Report) -> Report:
    """Turn the fit's own progress into that of the whole job, which never runs backwards."""
    reached = 0.0

    def report(stage: str, fraction: float) -> None:
        nonlocal reached
        start, end = _STAGES.get(stage, (reached, reached))
        reached = max(reached, start + (end - start) * fraction)
        tell(stage, reached)

    return report


@contextmanager
def _new_folder(parent: Path) -> Iterator[tuple[Path, Callable[[], Path]]]:
    """A folder beside the final one, and the function that gives it the first free name."""
    if not parent.is_dir():
        raise BayescaleError(f"cannot write into {parent}: no such folder; make it first")
    try:
        beside = Path(tempfile.mkdtemp(prefix=f".{FOLDER}.", dir=parent))
    except OSError as error:
        raise BayescaleError(f"cannot write into {parent}: {error.strerror}") from None
    try:
        yield beside, lambda: _settle(beside, parent)
    finally:
        if beside.exists():
            shutil.rmtree(beside)


def _settle(beside: Path, parent: Path) -> Path:
    beside.chmod(0o755)  # mkdtemp keeps a folder to its owner
    for number in count(1):
        target = parent / (FOLDER if number == 1 else f"{FOLDER}-{number}")
        if not target.exists():
            try:
                return beside.rename(target)
            except OSError:
                # Taken by another run since it was looked for; any other reason is a real one.
                if not target.exists():
                    raise
    raise AssertionError("unreachable: the numbers do not end")


def _posterior(fitted: Fit) -> pd.DataFrame:
    every = fitted.summary().parameters
    columns = ["parameter", "group", "median", "lo50", "hi50", "lo90", "hi90"]
    chosen = every.loc[every["parameter"].isin(list(SHOWN)), columns]
    return chosen.sort_values(
        "parameter",
        key=lambda names: names.map(list(SHOWN).index),
        kind="stable",
        ignore_index=True,
    )


def _draw(fitted: Fit, planned: Plan, folder: Path, tell: Report) -> None:
    # Here: matplotlib takes a second to import, and only this last step needs it.
    from bayescale import plots

    for name, share, draw in (
        ("posterior", 0.92, lambda: plots.posterior(fitted)),
        ("curve", 0.94, lambda: plots.curve(fitted)),
        ("frontier", 0.97, lambda: plots.frontier(planned)),
    ):
        tell(f"drawing {name}", share)
        plots.save(draw(), folder / name)


def _text(
    fitted: Fit, posterior: pd.DataFrame, forecast: Forecast, planned: Plan, described: str
) -> str:
    notes = [*fitted.summary().notes, assumption(fitted)]
    blocks = [
        f"The table\n{_indent(described)}",
        f"The fit\n  {fitted.convergence}",
        "The posterior by family (equal-tailed intervals)\n"
        + _indent(_posterior_table(posterior))
        + "".join(f"\n  note: {n}" for n in notes),
        f"One run of {PARAMS / 1e9:g}B parameters on {TOKENS / 1e12:g}T tokens: loss in {forecast.unit} "
        "(equal-tailed intervals)\n"
        + _indent(_forecast_table(forecast))
        + "".join(f"\n  note: {n}" for n in forecast.notes),
        str(planned),
    ]
    return "\n\n".join(blocks)


def _posterior_table(posterior: pd.DataFrame) -> str:
    rows = [
        (
            SHOWN[str(r.parameter)],
            str(r.group),
            f"{r.median:.3f}",
            f"{r.lo50:.3f}–{r.hi50:.3f}",
            f"{r.lo90:.3f}–{r.hi90:.3f}",
        )
        for r in posterior.itertuples(index=False)
    ]
    return _aligned([("", "group", "median", "50 %", "90 %"), *rows])


def _forecast_table(forecast: Forecast) -> str:
    rows = [
        (
            str(r.architecture),
            f"{r.median:.3f}",
            f"{r.lo50:.3f}–{r.hi50:.3f}",
            f"{r.lo90:.3f}–{r.hi90:.3f}",
        )
        for r in forecast.table().itertuples(index=False)
    ]
    return _aligned([("family", "median", "50 %", "90 %"), *rows])


def _aligned(rows: list[tuple[str, ...]]) -> str:
    widths = [max(len(str(row[i])) for row in rows) for i in range(len(rows[0]))]
    return "\n".join(
        "  ".join(str(cell).ljust(w) for cell, w in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )


def _indent(text: str) -> str:
    return "\n".join(f"  {line}" for line in text.splitlines())
