"""Public sweeps of N and D as the case studies read them, each with the cuts beyond which its runs are held out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

import bayescale as bs
from bayescale.runs import Runs
from bayescale.workflow.folds import By


@dataclass(frozen=True)
class Case:
    """One public set: how it is read, where it is cut, and the studies of the priors that it is evidence for."""

    read: Callable[[pd.DataFrame], Runs]
    by: By
    cuts: tuple[float, ...]
    exclude: tuple[str, ...]


def chinchilla(frame: pd.DataFrame) -> Runs:
    """240 runs of Hoffmann et al. 2022, figure 4, digitised; the table names no budgets, so thirds of a decade do."""
    kept = frame.sort_values("loss").iloc[:-5]
    budget = np.floor(3 * np.log10(kept["flops"]) + 0.5).astype(int)
    return load(kept.assign(sweep=budget.astype(str)), ["sweep"])


def gadre(frame: pd.DataFrame) -> Runs:
    """104 runs of Gadre et al. 2024 on three training sets, C4 validation loss."""
    named = frame.rename(columns={"loss_c4": "loss"})
    return load(named.assign(architecture=frame["train_data"]), ["architecture"])


def olmo(frame: pd.DataFrame) -> Runs:
    """30 runs of the OLMo ladder, C4 validation loss."""
    return load(frame.rename(columns={"N": "params", "D": "tokens", "loss_c4_en": "loss"}), [])


def load(frame: pd.DataFrame, more: list[str]) -> Runs:
    """Only the columns that a user would give."""
    info = {"loss": {"metric": "nats/token", "corpus": "web"}}
    return bs.load_runs(
        frame[["params", "tokens", "loss", *more]], task_info=info, param_count="total"
    )
