"""`describe`: what a design can identify, and the warning for each pitfall."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from bayescale.runs import load_runs

N = np.array([1e8, 3e8, 1e9, 3e9, 1e10])
WIDE = np.array([1e11, 2e9, 4e10, 1e10, 3e11])


def table(params: object, tokens: object, loss: object = None) -> pd.DataFrame:
    falls = np.linspace(4.0, 2.0, 5) if loss is None else loss
    return pd.DataFrame({"params": params, "tokens": tokens, "loss": falls})


@pytest.mark.parametrize(
    ("frame", "warning"),
    [
        (
            table(N, 3e11),
            "D constant: nothing sees delta but its prior, and gamma and omega are seen only by curvature in N",
        ),
        (
            table(1e9, WIDE),
            "N constant: nothing sees beta but its prior, and gamma and omega are seen only by curvature in D",
        ),
        (table(1e9, 3e11), "N and D constant"),
        (table(N, 20 * N), "D ∝ N: gamma and the share of the two terms stay at their priors"),
        (table(N, 20 * N**0.5 * 1e5), "D ∝ N^0.50: beta and delta are seen only together"),
        (table(N**0.2 * 1e7, WIDE), "N spans 0.40 decades, less than one"),
        (table(N, WIDE**0.2 * 1e8), "D spans 0.44 decades, less than one"),
        (
            pd.concat([table(n, WIDE).assign(family=f"{n:g}") for n in (1e8, 1e9)]),
            "design: N is constant within every architecture, so that nothing sees beta; if they are sizes of one "
            "family, columns={'architecture': ''} takes them as one",
        ),
        (
            table(N, WIDE).assign(unique_tokens=WIDE / [1, 2, 5, 40, 4]),
            "tokens are seen up to 40 times, more than 4 in 2 runs: only model='repeated-data'",
        ),
        (table(N, WIDE, np.linspace(2.2, 2.0, 5)), "L_inf is barely identified"),
        (table(N, WIDE).assign(flag=["odd", "", "", "", ""]), "1 flagged row kept"),
        (
            table(N, WIDE).assign(
                params_total=[1e8, 3e8, 2e9, 6e9, 2e10],
                params_non_embedding=[8e7, 2e8, 1e9, 3e9, 1e10],
            ),
            "mixed parameter counts: N is params_total in 2 runs, params_non_embedding in 3",
        ),
    ],
)
def test_pitfalls(frame: pd.DataFrame, warning: str) -> None:
    said = load_runs(frame).describe().warnings
    assert any(warning in w for w in said), said


def test_a_good_design_has_no_warning() -> None:
    assert load_runs(table(N, WIDE)).describe().warnings == ()


def test_families_that_hold_several_sizes_are_no_sizes() -> None:
    both = pd.concat([table(N, WIDE).assign(family=f) for f in "ab"])
    assert load_runs(both.assign(loss=np.linspace(4.0, 2.0, 10))).describe().warnings == ()
    alone = pd.concat([table(1e9, WIDE).assign(family=f) for f in "ab"])
    assert not load_runs(alone).describe().sizes_apart


def test_numbers() -> None:
    d = load_runs(table(N, WIDE)).describe()
    assert d.design.decades["N"] == pytest.approx(2.0)
    assert d.design.decades["D"] == pytest.approx(np.log10(150))
    assert d.loss_ratio["loss"] == pytest.approx((4 - 1.5) / (2 - 1.5))
    assert (d.rows, d.runs, d.by_architecture) == (5, 5, ())


def test_architectures_alone_and_together() -> None:
    runs = load_runs("pile-families")
    d = runs.describe()
    verdicts = {a.name: a.verdict for a in d.by_architecture}
    assert verdicts["Pythia"].startswith("D constant")
    assert verdicts["Cerebras-GPT"].startswith("D ∝ N")
    assert verdicts["GPT-J"].startswith("one run")
    assert not d.design.problem
    assert runs.where(architecture="Pythia").describe().design.problem


def test_text_and_data_agree() -> None:
    d = load_runs("pile-families").describe()
    text = str(d)
    for piece in (*d.warnings, *d.notes, *d.flagged, d.hash[:12], "2.45 decades", d.citation):
        assert piece in text
    assert json.loads(json.dumps(d.to_dict()))["architectures"]["Pythia"] == 8


def test_the_loss_of_an_unnamed_task_is_just_the_loss() -> None:
    frame = table(N, WIDE)
    text = str(load_runs(frame).describe())
    assert "\n  loss [nats/token" in text
    assert "loss of loss" not in text


def test_many_architectures_print_by_verdict() -> None:
    many = pd.concat([table(N, 20 * N if i else WIDE).assign(family=f"f{i}") for i in range(13)])
    runs = load_runs(many.assign(loss=np.linspace(4.0, 2.0, 65)))
    said = str(runs.describe()).splitlines()
    assert "  1 architecture, varied: f0 (5)" in said
    (tied,) = (line for line in said if line.startswith("  12 architectures, D ∝ N"))
    assert tied.endswith(
        "stay at their priors: f1 (5), f2 (5), f3 (5), f4 (5), f5 (5), f6 (5), f7 (5), f8 (5) and 4 more"
    )
    few = str(runs.where(architecture=["f0", "f1"]).describe())
    assert "\n  f0: 5 runs, varied\n" in few
