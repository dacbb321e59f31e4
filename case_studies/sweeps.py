"""Public sweeps of N and D as the case studies read them, from a folder of the public sets."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import bayescale as bs
from bayescale.runs import Runs

UNTRAINED = 1.0  # tokens a parameter, below which Porian et al. drop rows


def public_sets() -> Path:
    """The folder of the public sets."""
    return Path(os.environ["BAYESCALE_DATA"])


def text(frame: pd.DataFrame, more: list[str], count: Any = "total") -> Runs:
    """Only the columns that a user would give; losses in nats a token."""
    info = {"loss": {"metric": "nats/token", "corpus": "web"}}
    columns = ["params", "tokens", "loss", *more]
    return bs.load_runs(frame[columns], task_info=info, param_count=count)


def chinchilla(folder: Path) -> Runs:
    """240 runs of Hoffmann et al. 2022, figure 4, digitised; the table names no budgets, so thirds of a decade do."""
    frame = pd.read_csv(folder / "chinchilla_fig4" / "data.csv")
    kept = frame.sort_values("loss").iloc[:-5]
    budget = np.floor(3 * np.log10(kept["flops"]) + 0.5).astype(int)
    return text(kept.assign(sweep=budget.astype(str)), ["sweep"])


def gadre(folder: Path) -> Runs:
    """104 runs of Gadre et al. 2024 on three training sets, C4 validation loss."""
    frame = pd.read_csv(folder / "gadre_overtraining" / "data.csv")
    named = frame.rename(columns={"loss_c4": "loss"})
    return text(named.assign(architecture=frame["train_data"]), ["architecture"])


def gadre_on(folder: Path, corpus: str) -> Runs:
    """One training set of Gadre et al. 2024."""
    return gadre(folder).where(architecture=corpus)


def olmo(folder: Path) -> Runs:
    """30 runs of the OLMo ladder, C4 validation loss."""
    frame = pd.read_csv(folder / "olmo_ladder" / "data.csv")
    return text(frame.rename(columns={"N": "params", "D": "tokens", "loss_c4_en": "loss"}), [])


def unrepeated(folder: Path) -> Runs:
    """Main runs of Muennighoff et al. 2023 that saw no token twice, with at least a token for each parameter."""
    frame = pd.read_csv(folder / "datablations" / "data.csv")
    fresh = (frame["epochs"] <= 1.0) & (frame["variant"] == "main")
    return text(frame[fresh & (frame["tokens"] >= UNTRAINED * frame["params"])], [])


def steplaw(folder: Path) -> Runs:
    """Li et al. 2025: the best of a grid of learning rates and batch sizes in each of 17 cells."""
    frame = pd.read_csv(folder / "steplaw_dense" / "best_per_cell.csv")
    return text(frame, [], "non-embedding")
