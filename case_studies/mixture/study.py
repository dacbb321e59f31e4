"""How do losses of several domains hang on the mixture of the training data? Six mixtures of 26 held out.

Run ``python3 -m uv run python case_studies/mixture/study.py`` where ``BAYESCALE_DATA`` names a folder of the public
sets. It writes ``expected.json``, the table of the README and the figure; fits are kept in ``--folder``.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.optimize import least_squares

import bayescale as bs
from bayescale import plots
from bayescale.plots.style import GREY, colour, new_figure, style
from bayescale.runs import Runs
from bayescale.spec import ModelSpec, ParameterModel
from bayescale.zoo import load_model

sys.path.append(str(Path(__file__).parents[1]))  # where the studies keep what they share
from further import markdown, named, opened, options_of, point_scores, recorded, scores, tested

HERE = Path(__file__).parent
SHA256 = "a5f5b77b860c03d4d5609b1fe5157b574f9e49c897fcb84dcfdf1676097310cd"
DOMAINS = ("academic", "prose", "dialogue", "symbolic", "internet")
STEP = 30_000
LARGEST = 4.1e8  # parameters: of larger ones six mixtures were trained
# The mixtures that SLDBench (linhaowei1/SLD, commit bf7e8e33) scores on these runs; it fits the twenty others.
HELD_OUT = (8, 11, 14, 17, 19, 20)
SHOWN = {
    "mixture-5": "`mixture-5`, exact: tokens by their worth, and a factor",
    "worth alone": "tokens by their worth alone, exact",
    "as printed, with sizes": "Ye et al.'s term beside a law of N, exact",
    "least squares": "Ye et al.'s law of each size and domain, least squares",
    "least squares, worth": "one law of all sizes, tokens by their worth, least squares",
    "least squares, both": "the same with the factor e^(t·r), least squares",
}


TITLES = {"least squares": "Ye et al.", "least squares, both": "Worth and factor"}


def table(folder: Path) -> pd.DataFrame:
    """Losses of five domains at step 30,000, 26 mixtures of four sizes."""
    frame = opened(folder, "data_mixing/data.csv", SHA256)
    kept = (frame["mix"] == "five_domains") & (frame["step"] == STEP) & (frame["params"] <= LARGEST)
    frame = frame[kept].reset_index(drop=True)
    number = frame["run"].str.extract(r"_(\d+)-")[0].astype(int)
    shares = {f"share_{j}": frame[f"prop_{domain}"] for j, domain in enumerate(DOMAINS, 1)}
    return frame.assign(mixture=number, held_out=number.isin(HELD_OUT), **shares)


def as_runs(frame: pd.DataFrame, domain: str) -> Runs:
    """Losses of one domain."""
    part = frame[frame["domain"] == domain]
    shares = [f"share_{j}" for j in range(1, len(DOMAINS) + 1)]
    columns = ["run", "params", "tokens", *shares, "held_out", "loss"]
    info = {"loss": {"metric": "nats/token"}}
    return bs.load_runs(
        part[columns], task_info=info, param_count="total", name=f"data-mixing {domain}"
    )


def entrants() -> Iterator[ModelSpec]:
    """The law as shipped, with worths alone, and with the printed term in their place."""
    law = load_model("mixture-5")
    yield law
    names = range(1, len(DOMAINS) + 1)
    no_lean: dict[str, Any] = {f"lean_{j}": None for j in names}
    yield named(law, "worth alone", modifiers=(), parameters=no_lean)
    # Without worths a lean is all that moves the loss.
    wide: dict[str, Any] = {
        f"lean_{j}": ParameterModel(prior="Normal(mu=0.0, sigma=2.0)") for j in names
    }
    wide |= {f"worth_{j}": None for j in names}
    wide["mixture_level"] = ParameterModel(prior="mixture_level")
    yield named(
        law,
        "as printed, with sizes",
        effective=(),
        modifiers=("mixture-printed-5",),
        parameters=wide,
    )


def ye(frame: pd.DataFrame) -> np.ndarray:
    """L = c + k·e^(t·r) of each size and domain, by robust least squares of logs; predictions for all rows."""
    shares = frame[[f"share_{j}" for j in range(1, len(DOMAINS) + 1)]].to_numpy()
    y, out, rng = np.log(frame["loss"].to_numpy()), np.zeros(len(frame)), np.random.default_rng(0)
    for _, rows in frame.groupby(["params", "domain"]).indices.items():
        fitted = rows[~frame["held_out"].to_numpy()[rows]]

        def log_loss(x: np.ndarray, at: np.ndarray) -> np.ndarray:
            return np.logaddexp(x[0], x[1] + shares[at] @ x[2:])

        # A weak pull towards zero settles the direction that shares do not show.
        ends = [
            least_squares(
                lambda x, at=fitted: np.append((log_loss(x, at) - y[at]) / 0.003, x / 100),
                np.r_[0.0, 0.0, rng.standard_normal(5)],
                loss="soft_l1",
            )
            for _ in range(5)
        ]
        out[rows] = log_loss(min(ends, key=lambda end: end.cost).x, rows)
    return np.exp(out)


def by_worth(frame: pd.DataFrame, *, lean: bool) -> np.ndarray:
    """The law of `mixture-5` of each domain with terms that add, robust least squares of logs; predictions of all rows.

    Pulled weakly towards the middle of its priors: one number of tokens shows no exponent of data by itself.
    """
    shares = frame[[f"share_{j}" for j in range(1, len(DOMAINS) + 1)]].to_numpy()
    y, u = np.log(frame["loss"].to_numpy()), np.log(frame["params"].to_numpy() / 2e8)
    middle = np.r_[0.5, -1.3, -1.3, -1.3, -1.3, np.full(5, -2.3), np.zeros(5)]
    width = np.r_[0.5, 1.0, 1.0, 0.4, 0.4, np.full(5, 2.0), np.full(5, 1.5 if lean else 1e-9)]
    out, rng = np.zeros(len(frame)), np.random.default_rng(0)
    for _, rows in frame.groupby("domain").indices.items():
        fitted = rows[~frame["held_out"].to_numpy()[rows]]

        def log_loss(x: np.ndarray, at: np.ndarray) -> np.ndarray:
            worth, away = np.exp(x[5:10]), shares[at] - 1.0 / len(DOMAINS)
            of_data = x[2] - np.exp(x[4]) * (np.log(shares[at] @ worth) - np.log(worth.mean()))
            reducible = np.logaddexp(x[1] - np.exp(x[3]) * u[at], of_data) + away @ x[10:]
            return np.logaddexp(x[0], reducible)

        ends = [
            least_squares(
                lambda x, at=fitted: np.r_[(log_loss(x, at) - y[at]) / 0.004, (x - middle) / width],
                middle + 0.3 * rng.standard_normal(15) * np.minimum(width, 1.0),
                loss="soft_l1",
            )
            for _ in range(4)
        ]
        out[rows] = log_loss(min(ends, key=lambda end: end.cost).x, rows)
    return np.exp(out)


def r_squared(rows: pd.DataFrame, by: list[str]) -> float:
    """Mean R² of the held-out mixtures; by domain alone it is that of SLDBench, in which sizes differ too."""
    found = [
        point_scores(part["loss"].to_numpy(), part["median"].to_numpy())["r2"]
        for _, part in rows.groupby(by)
    ]
    return float(np.mean(found))


def figure(rows: pd.DataFrame) -> list[Path]:
    """Held-out mixtures: prediction over loss, by domain."""
    with style():
        canvas = new_figure("text", 2.3)
        shown = ("least squares", "least squares, both")
        for axes, model in zip(canvas.subplots(1, 2, sharey=True), shown, strict=True):
            for i, domain in enumerate(DOMAINS):
                part = rows[(rows["model"] == model) & (rows["domain"] == domain)]
                at = i + np.linspace(-0.35, 0.35, len(part))
                axes.plot(at, part["median"] / part["loss"], ".", color=colour(i))
            axes.axhline(1.0, color=GREY, linewidth=0.6)
            axes.set_xticks(range(len(DOMAINS)), DOMAINS)
            axes.set(title=TITLES[model])
            axes.set_ylabel("prediction / loss")
        return plots.save(canvas, HERE / "mixture.pdf")


def tables(found: dict[str, Any]) -> dict[str, str]:
    """Of the README, by their names."""
    return {"results": markdown(found["scores"], SHOWN)}


def main() -> None:
    """Command line of the study."""
    options = options_of(__doc__, "mixture-folds")
    frame = table(Path(os.environ["BAYESCALE_DATA"]))
    parts, verdicts = [], {}
    for model in entrants() if options.every else ():
        for domain in DOMAINS:
            runs, kept = as_runs(frame, domain), options.folder / domain
            test = tested(runs, [model], kept, drift=False, by="held_out")
            parts.append(test.rows.assign(domain=domain))
            verdicts[f"{model.name}: {domain}"] = test.folds["verdict"].iloc[0]
    out = frame["held_out"].to_numpy()
    guesses = {
        "least squares": ye(frame),
        "least squares, worth": by_worth(frame, lean=False),
        "least squares, both": by_worth(frame, lean=True),
    }
    said = [frame[out].assign(median=guess[out], model=name) for name, guess in guesses.items()]
    found: dict[str, Any] = {"verdicts": verdicts, "scores": {}}
    for name, part in zip(guesses, said, strict=True):
        found["scores"][name] = point_scores(part["loss"].to_numpy(), part["median"].to_numpy())
    if parts:
        rows = pd.concat(parts, ignore_index=True)
        # One mixture of a domain is off by as much at every size.
        rows["group"] = rows["domain"] + rows["run_id"].str.extract(r"_(\d+)-")[0]
        found["scores"] |= scores(rows)
        said.append(rows)
    together = pd.concat(said, ignore_index=True)
    within = found["within_sizes"] = {}
    for model, part in together.groupby("model"):
        found["scores"][str(model)]["r2"] = r_squared(part, ["domain"])
        within[str(model)] = r_squared(part, ["params", "domain"])
    recorded(HERE, found, tables(found))
    for path in figure(together):
        print(path)


if __name__ == "__main__":
    main()
