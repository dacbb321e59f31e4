"""Negative controls and invariances of sampled posteriors: what must not be found, and what must not matter.

Two fits agree when the differences of their posterior means and quantiles stay within as many Monte-Carlo standard
errors, from the effective sample sizes of both, as chance allows among so many comparisons.
"""

from __future__ import annotations

from collections.abc import Mapping

import arviz_stats
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scipy import special, stats

import bayescale as bs
from bayescale.laws import numpy_namespace, to_link
from bayescale.posterior import Fit, population_parameters
from bayescale.runs import Runs
from bayescale.spec import prior_draws

LN2 = float(np.log(2.0))
NOISE = 0.005
CENTRE = (1e9, 2e10)
FAR = {"params": 3e11, "tokens": 6e12}
LAW = {"gamma": 0.6, "omega": 0.5, "alpha": 0.17, "a": 0.52, "R0": 0.9, "L_inf": 1.8}
SQUARE = [(i, j) for i in (-1.0, 0.0, 1.0) for j in (-1.0, 0.0, 1.0)]


def truth(params: np.ndarray, tokens: np.ndarray, **changed: float) -> np.ndarray:
    """The joint law, its pivot at ``CENTRE``, written out apart from the package."""
    p = LAW | changed
    beta, delta, gamma = p["alpha"] / p["a"], p["alpha"] / (1 - p["a"]), p["gamma"]
    by_n = p["omega"] * (params / CENTRE[0]) ** (-beta / gamma)
    by_d = (1 - p["omega"]) * (tokens / CENTRE[1]) ** (-delta / gamma)
    return p["L_inf"] + p["R0"] * (by_n + by_d) ** gamma


def table(
    groups: Mapping[str, Mapping[str, float]],
    points: list[tuple[float, float]] = SQUARE,
    single: str = "",
) -> pd.DataFrame:
    """Runs of each group at factors 10^i, 10^j of the centre; the group ``single`` has one run, at the centre."""
    rng = np.random.default_rng(11)
    parts = []
    for name, changed in groups.items():
        at = np.array([(0.0, 0.0)] if name == single else points)
        params, tokens = CENTRE[0] * 10.0 ** at[:, 0], CENTRE[1] * 10.0 ** at[:, 1]
        loss = truth(params, tokens, **changed) * np.exp(NOISE * rng.standard_normal(len(at)))
        parts.append(
            pd.DataFrame({"architecture": name, "params": params, "tokens": tokens, "loss": loss})
        )
    return pd.concat(parts, ignore_index=True)


def load(frame: pd.DataFrame, metric: str = "nats/token") -> Runs:
    info = {"loss": {"metric": metric, "corpus": "web"}}
    return bs.load_runs(frame, task_info=info, convert=False, param_count="total")


def sample(runs: Runs, seed: int = 3, **more: object) -> Fit:
    """Fit the law alone: what a design can say of it is clearest without drift."""
    return bs.fit(runs, model="parameter-data", drift=False, seed=seed, progress=False, **more)


# Five families that differ in level; of the last, whose exponent is far off, only one run is known.
FAMILIES = {
    "ant": {"R0": 0.85},
    "bee": {"R0": 0.95},
    "cat": {"R0": 1.0, "alpha": 0.165},
    "dog": {"R0": 0.9},
    "eel": {"R0": 0.9, "alpha": 0.25},
}


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    return table(FAMILIES, single="eel")


@pytest.fixture(scope="module")
def base(frame: pd.DataFrame) -> Fit:
    return sample(load(frame))


# ------------------------------------------------------------------ Monte-Carlo error


def flat(values: xr.DataArray) -> xr.Dataset:
    return values.transpose("chain", "draw").reset_coords(drop=True).to_dataset(name="x")


def z_scores(one: xr.DataArray, two: xr.DataArray) -> tuple[float, ...]:
    """Differences of the mean and of the 10 and 90 % quantiles over their Monte-Carlo standard errors.

    Quantiles and no standard deviation: what a family of one run leaves open has tails (kurtosis 5 to 15) in which the
    error of a standard deviation is itself too uncertain: four samples of one posterior give it as .0008 to .0031.
    """
    sides = [flat(one), flat(two)]
    out = []
    for prob in (None, 0.1, 0.9):
        how = {"method": "mean"} if prob is None else {"method": "quantile", "prob": prob}
        error = [float(arviz_stats.mcse(s, **how)["x"]) for s in sides]
        values = [s["x"].to_numpy() for s in sides]
        at = [v.mean() if prob is None else np.quantile(v, prob) for v in values]
        out.append(float((at[0] - at[1]) / np.hypot(*error)))
    return tuple(out)


def differing(
    one: Mapping[str, xr.DataArray], two: Mapping[str, xr.DataArray]
) -> dict[str, tuple[float, ...]]:
    """Quantities whose mean or quantiles differ by more Monte-Carlo errors than chance allows, and by how many.

    Of two samples of one posterior, one comparison in a thousand (Šidák, over all means and quantiles) finds any.
    """
    bound = stats.norm.isf(0.5 * (1.0 - 0.999 ** (1.0 / (3 * len(one)))))
    found = {name: z_scores(one[name], two[name]) for name in one}
    return {name: z for name, z in found.items() if not max(map(abs, z)) < bound}


def linked(fit: Fit, groups: Mapping[str, str] | None = None) -> dict[str, xr.DataArray]:
    """Population, curves of groups (new name → fitted label) and scales, on link scales."""
    support = {n: p.support for n, p in fit.model.parameters.items()}
    places = {"population": population_parameters(fit.posterior, fit.model)}
    for shown, label in (groups or {k: k for k in FAMILIES}).items():
        places[shown] = fit.parameters(fit.groups(architecture=label))
    out = {
        f"{n} of {place}": to_link(numpy_namespace, support.get(n, "positive"), theta[n])
        for place, theta in places.items()
        for n in ("R0", "omega", "alpha", "a", "gamma", "L_inf", "beta", "delta", "sigma")
    }
    tau = fit.posterior["tau_architecture"]
    for name in tau["parameter_architecture"].values:
        out[f"tau of {name}"] = tau.sel(parameter_architecture=name)
    return out


# ------------------------------------------------------------------ negative controls


def test_identical_groups_show_no_spread() -> None:
    fit = sample(load(table({name: {} for name in "abcdef"})))
    scales = fit.summary().scales
    assert len(scales) == 4
    ratio = scales.set_index("parameter")["tau_q90"] / scales.set_index("parameter")["prior_q90"]
    assert (ratio <= 0.5).all(), ratio.to_dict()


def test_a_family_of_one_run_forecasts_near_the_population(base: Fit) -> None:
    """Its exponent is far from the others', but one run cannot say so: the forecast must stay with them."""
    new = np.log(bs.predict(base, **FAR, architecture=bs.New("fox"), kind="expected").draws)
    own = np.log(bs.predict(base, **FAR, architecture="eel", kind="expected").draws)
    assert abs(float(own.median() - new.median())) < 0.5 * float(new.std())
    theta = base.parameters(base.groups(architecture="eel"))["alpha"]
    whole = population_parameters(base.posterior, base.model)["alpha"]
    spread = np.log(base.parameters(base.groups(architecture=bs.New("fox")))["alpha"]).std()
    assert abs(float((np.log(theta) - np.log(whole)).median())) < 0.5 * float(spread)


def test_deleting_a_groups_rows_widens_its_own_forecast(base: Fit, frame: pd.DataFrame) -> None:
    less = sample(load(frame[frame["architecture"] != "cat"]))
    known = bs.predict(base, **FAR, architecture="cat", kind="expected").intervals([0.9])
    unknown = bs.predict(less, **FAR, architecture=bs.New("cat"), kind="expected").intervals([0.9])
    width = [float((x["hi90"] - x["lo90"]).item()) for x in (known, unknown)]
    assert width[1] > 1.25 * width[0], width


def contraction(fit: Fit, name: str) -> tuple[float, float]:
    """1 − posterior sd / prior sd on the link scale, and its Monte-Carlo standard error."""
    support = fit.model.parameters[name].support
    many = prior_draws(fit.model, 200_000)[name]
    before = float(to_link(numpy_namespace, support, many).std())
    after = to_link(numpy_namespace, support, fit.posterior[name])
    error = float(arviz_stats.mcse(flat(after), method="sd")["x"]) / before
    return 1.0 - float(after.std()) / before, error


def test_constant_data_leaves_delta_at_its_prior() -> None:
    """Stated in (β, δ), so that δ has a prior of its own; β is the positive control."""
    points = [(float(i), 0.0) for i in np.linspace(-1.5, 1.5, 12)]
    fit = sample(
        load(table({"only": {}}, points)), prior={"delta": "LogNormal(mu=-1.3, sigma=0.4)"}
    )
    (delta, error), (beta, _) = contraction(fit, "delta"), contraction(fit, "beta")
    assert delta < 0.10, (delta, error)
    assert beta > 0.20
    assert "delta" in fit.summary().at_prior


def test_data_in_proportion_to_parameters_leaves_gamma_and_omega_at_theirs() -> None:
    points = [(float(i), float(i)) for i in np.linspace(-1.5, 1.5, 12)]
    fit = sample(load(table({"only": {}}, points)))
    found = {name: contraction(fit, name) for name in ("gamma", "omega", "alpha")}
    assert found["gamma"][0] < 0.10, found
    assert found["omega"][0] < 0.10, found
    assert found["alpha"][0] > 0.20, found


# ------------------------------------------------------------------ invariances


def test_units_in_headers_leave_the_same_runs(frame: pd.DataFrame) -> None:
    plain = frame.assign(compute=6.0 * frame["params"] * frame["tokens"])
    other = pd.DataFrame(
        {
            "architecture": plain["architecture"],
            "params (M)": plain["params"] / 1e6,
            "tokens (B)": plain["tokens"] / 1e9,
            "compute (PF-days)": plain["compute"] / 8.64e19,
            "loss": plain["loss"],
        }
    )
    one, two = load(plain), load(other)
    columns = ["params", "tokens", "compute", "loss"]
    # Dividing and multiplying back rounds; a hash of exact cells may differ where the numbers do not.
    np.testing.assert_allclose(one.table[columns], two.table[columns], rtol=4e-16)
    written = {"params": "size (M)", "tokens": "amount (B)", "compute": "cost (PF-days)"}
    named = other.set_axis(["architecture", *written.values(), "loss"], axis=1)
    three = bs.load_runs(
        named,
        columns=written,
        task_info={"loss": {"metric": "nats/token", "corpus": "web"}},
        param_count="total",
    )
    assert three.hash == two.hash


def test_units_of_round_numbers_leave_the_same_hash() -> None:
    sizes, amounts = [70, 400, 1400], [3, 20, 100]
    losses = [3.5, 3.0, 2.7]
    plain = {"params": [s * 1e6 for s in sizes], "tokens": [a * 1e9 for a in amounts]}
    short = {"params (M)": sizes, "tokens (B)": amounts}
    spelled = {"params": [f"{s}M" for s in sizes], "tokens": [f"{a}B" for a in amounts]}
    tables = [load(pd.DataFrame(t | {"loss": losses})) for t in (plain, short, spelled)]
    assert len({t.hash for t in tables}) == 1


def test_permuted_rows_give_the_same_draws(base: Fit, frame: pd.DataFrame) -> None:
    again = sample(load(frame.sample(frac=1.0, random_state=5).reset_index(drop=True)))
    assert again.model == base.model
    for name, values in base.posterior.data_vars.items():
        np.testing.assert_array_equal(again.posterior[name].to_numpy(), values.to_numpy())


def test_bits_for_nats_leave_exponents_and_scores(base: Fit, frame: pd.DataFrame) -> None:
    bits = sample(load(frame.assign(loss=frame["loss"] / LN2), "bits/token"), seed=4)
    assert bits.model.loss_unit == "bits/token"
    before, after = linked(base), linked(bits)
    for name in before:
        if name.startswith(("R0 of", "L_inf of")):
            after[name] = after[name] + np.log(LN2)
    assert not differing(before, after)
    one, two = (log_scores(f) for f in (base, bits))
    gap = np.abs(one[0] - two[0]) / np.hypot(one[1], two[1])
    assert gap.max() < 4.0, gap


def log_scores(fit: Fit) -> tuple[np.ndarray, np.ndarray]:
    """Log predictive density of each fitted row on log loss, and its Monte-Carlo standard error."""
    scores, errors = [], []
    rows = fit.runs
    for i in range(rows.sizes["run"]):
        row = rows.isel(run=i)
        label = str(row["architecture"].item())
        points = {k: float(row[k]) for k in ("params", "tokens")}
        curve = bs.predict(fit, **points, architecture=label, kind="expected").draws.squeeze()
        theta = fit.parameters(fit.groups(architecture=label))
        residual = (np.log(float(row["loss"])) - np.log(curve)) / theta["sigma"]
        log_p = stats.t.logpdf(residual, theta["nu"]) - np.log(theta["sigma"].to_numpy())
        score = special.logsumexp(log_p) - np.log(log_p.size)
        density = curve.copy(data=np.exp(log_p - score))
        scores.append(score)
        errors.append(float(arviz_stats.mcse(flat(density), method="mean")["x"]))
    return np.array(scores), np.array(errors)


@pytest.mark.slow
def test_groups_renamed_are_the_same_groups(base: Fit, frame: pd.DataFrame) -> None:
    """New names in another alphabetical order: only labels move."""
    new = {"ant": "zebra", "bee": "yak", "cat": "xerus", "dog": "wolf", "eel": "viper"}
    renamed = sample(load(frame.assign(architecture=frame["architecture"].map(new))), seed=5)
    assert not differing(linked(base), linked(renamed, new))
    mixed_up = new | {"ant": new["eel"], "eel": new["ant"]}
    assert differing(linked(base), linked(renamed, mixed_up))


def test_swapping_parameters_and_tokens_mirrors_the_posterior(
    base: Fit, frame: pd.DataFrame
) -> None:
    """Priors are swapped along: of a, Beta(20, 18.5) becomes Beta(18.5, 20); the level's is stated at the pivot."""
    swapped = frame.rename(columns={"params": "tokens", "tokens": "params"})
    level = str(base.model.parameters["R0"].prior)
    prior = {"a": "Beta(alpha=18.5, beta=20)", "R0": level}
    mirror = sample(load(swapped), prior=prior, seed=6)
    before, after = linked(base), {}
    other = {"beta": "delta", "delta": "beta"}
    for name, values in linked(mirror).items():
        what, _, place = name.partition(" of ")
        sign = -1.0 if what in ("omega", "a") else 1.0  # logit(1 − x) = −logit x
        after[f"{other.get(what, what)} of {place}"] = sign * values
    assert not differing(before, {n: after[n] for n in before})
    # Negative control: the same draws, but the share of the exponents left as it was.
    unmirrored = {n: -v if n.startswith("a of") else v for n, v in after.items()}
    assert differing(before, {n: unmirrored[n] for n in before})


@pytest.mark.slow
def test_tasks_that_are_alike_pass_the_gate() -> None:
    """Spreads near zero are where chains stick; a fit that misses the gate raises."""
    points = [(i, j) for i in (-1.0, -0.4, 0.2, 0.8) for j in (-1.0, -0.4, 0.2, 0.8, 1.4)]
    alike = table({"x": {}, "y": {}, "z": {}}, points).rename(columns={"architecture": "task"})
    info = {"*": {"metric": "nats/token", "corpus": "web"}}
    fit = bs.fit(bs.load_runs(alike, task_info=info, param_count="total"), seed=3, progress=False)
    assert fit.convergence.passed
    assert float(fit.posterior["tau_task"].median()) < 0.2
