"""Public sweeps of N and D as the case studies read them, from a folder of the public sets."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import bayescale as bs
from bayescale.runs import Runs


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


def olmo(folder: Path) -> Runs:
    """30 runs of the OLMo ladder, C4 validation loss."""
    frame = pd.read_csv(folder / "olmo_ladder" / "data.csv")
    return text(frame.rename(columns={"N": "params", "D": "tokens", "loss_c4_en": "loss"}), [])
