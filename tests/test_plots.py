"""Figures: they leave no trace in matplotlib, embed their fonts, say what is wrong, and need no sampler."""

from __future__ import annotations

import inspect
import os
import subprocess
import sys
import textwrap
from dataclasses import replace
from pathlib import Path

import matplotlib
import matplotlib.colors
import matplotlib.text
import numpy as np
import pytest
import xarray as xr
from helpers import make_fit, make_runs, pile_families
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from pypdf import PdfReader

import bayescale as bs
from bayescale import plots
from bayescale.errors import (
    BayescaleError,
    ConvergenceError,
    ForecastError,
    PlanError,
    UnknownNameError,
)
from bayescale.plots.fan import _left_out
from bayescale.plots.paths import count
from bayescale.plots.style import MARKERS, PALETTE, WIDTHS, named, power
from bayescale.posterior import Fit

FIGURES = ("posterior", "curve", "frontier")


@pytest.fixture(scope="module")
def fit() -> Fit:
    return make_fit(draws=100)


@pytest.fixture(scope="module")
def plan(fit: Fit) -> bs.Plan:
    risks = [bs.Expectation(), bs.CVaR(0.1)]
    return bs.plan(fit, bs.Budget(compute=3e23), risks, architecture=bs.New("next"))


@pytest.fixture(scope="module")
def drawn(fit: Fit, plan: bs.Plan) -> dict[tuple[str, str], Figure]:
    """Every figure in every width."""
    return {(k, w): draw(k, fit, plan, w) for k in FIGURES for w in ("text", "column")}


def draw(kind: str, fit: Fit, plan: bs.Plan, width: str = "text") -> Figure:
    subject = plan if kind == "frontier" else fit
    return getattr(plots, kind)(subject, width=width)


@pytest.mark.parametrize("kind", FIGURES)
@pytest.mark.parametrize("width", ["text", "column"])
def test_a_figure_has_the_width_of_the_page_and_leaves_no_trace(
    kind: str, width: str, fit: Fit, plan: bs.Plan, tmp_path: Path
) -> None:
    with matplotlib.rc_context({"font.size": 31.0, "axes.grid": True, "pdf.fonttype": 3}):
        before = dict(matplotlib.rcParams)
        figure = draw(kind, fit, plan, width)
        if width == "column":
            plots.save(figure, tmp_path / kind)
        assert dict(matplotlib.rcParams) == before
    assert figure.get_size_inches()[0] == pytest.approx(WIDTHS[width])  # type: ignore[index]
    texts = [t for t in figure.findobj(matplotlib.text.Text) if t.get_text()]
    assert max(t.get_fontsize() for t in texts) < 10
    assert "assumes the law is exact" in " ".join(t.get_text() for t in texts)


@pytest.mark.parametrize("kind", FIGURES)
@pytest.mark.parametrize("width", ["text", "column"])
def test_panels_legend_and_note_lie_apart_and_on_the_page(
    kind: str, width: str, drawn: dict[tuple[str, str], Figure]
) -> None:
    figure = drawn[kind, width]
    FigureCanvasAgg(figure).draw()
    page, legend = figure.bbox, figure.legends[0].get_window_extent()
    (note,) = (t.get_window_extent() for t in figure.texts)
    for box in (legend, note):
        assert box.x0 >= page.x0
        assert box.x1 <= page.x1
    assert page.y0 <= note.y0
    assert note.y1 <= legend.y0 + 1
    panels = [a.get_tightbbox() for a in figure.axes if a.get_visible()]
    assert min(box.y0 for box in panels if box is not None) >= legend.y1 - 2


def test_saved_files_are_a_pdf_with_embedded_fonts_and_a_png(fit: Fit, tmp_path: Path) -> None:
    written = plots.save(plots.posterior(fit), tmp_path / "forest.pdf")
    assert written == [tmp_path / "forest.pdf", tmp_path / "forest.png"]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["forest.pdf", "forest.png"]
    assert written[1].read_bytes().startswith(b"\x89PNG")
    page = PdfReader(written[0]).pages[0]
    fonts = [f.get_object() for f in page["/Resources"]["/Font"].values()]  # type: ignore[index]
    assert fonts
    for font in fonts:
        assert font["/Subtype"] != "/Type3"
        inner = font["/DescendantFonts"][0].get_object() if "/DescendantFonts" in font else font
        assert "/FontFile2" in inner["/FontDescriptor"].get_object()
    assert not list(page.images)  # all lines and letters, no pixels
    assert "Cerebras-GPT-muP (5)" in page.extract_text()


def test_equal_figures_are_equal_files(fit: Fit, tmp_path: Path) -> None:
    first = plots.save(plots.posterior(fit), tmp_path / "a")
    second = plots.save(plots.posterior(fit), tmp_path / "b")
    assert [p.read_bytes() for p in first] == [p.read_bytes() for p in second]


def test_a_dotted_name_keeps_its_dots(fit: Fit, tmp_path: Path) -> None:
    written = plots.save(plots.posterior(fit, ["alpha"]), tmp_path / "v1.2")
    assert [p.name for p in written] == ["v1.2.pdf", "v1.2.png"]


def test_a_failed_write_leaves_the_old_file_whole(
    fit: Fit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    figure = plots.posterior(fit, ["alpha"])
    plots.save(figure, tmp_path / "f")
    before = {p.name: p.read_bytes() for p in tmp_path.iterdir()}

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Figure, "savefig", full)
    with pytest.raises(BayescaleError, match=r"f\.pdf: No space left"):
        plots.save(figure, tmp_path / "f")
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == before


@pytest.mark.parametrize(
    ("name", "message"),
    [("none/f", "no folder"), ("f.svg", r"saved as PDF and PNG; name the file .*f\.pdf")],
)
def test_save_says_where_it_cannot_write(name: str, message: str, fit: Fit, tmp_path: Path) -> None:
    with pytest.raises(BayescaleError, match=message):
        plots.save(plots.posterior(fit, ["alpha"]), tmp_path / name)


@pytest.mark.parametrize("kind", FIGURES)
def test_a_wrong_width_is_answered_with_the_right_one(kind: str, fit: Fit, plan: bs.Plan) -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'column'"):
        draw(kind, fit, plan, "colum")


def test_wrong_requests_say_what_is_known(fit: Fit) -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'delta'"):
        plots.posterior(fit, ["detla"])
    with pytest.raises(UnknownNameError, match="did you mean 'compute'"):
        plots.curve(fit, "compte")
    with pytest.raises(UnknownNameError, match="did you mean 'Pythia'"):
        plots.curve(fit, architecture="Pythai")
    with pytest.raises(ForecastError, match="no chosen family has runs that vary 'tokens'"):
        plots.curve(fit, "tokens", "Pythia")
    with pytest.raises(ForecastError, match="empty"):
        plots.posterior(fit, [])
    with pytest.raises(ForecastError, match="empty"):
        plots.curve(fit, architecture=[])
    with pytest.raises(ForecastError, match="1 Axes was given for 4 panels"):
        plots.posterior(fit, axes=[Figure().subplots()])


def test_too_many_families_for_one_figure() -> None:
    many = make_fit("chinchilla", make_runs([f"a{i}" for i in range(13)]), draws=10)
    with pytest.raises(ForecastError, match=r"13 families .* architecture=\['a0'"):
        plots.curve(many)


def test_an_unconverged_fit_is_shown_but_not_forecast_unless_asked() -> None:
    fit = make_fit("compute", draws=20, converged=False)
    plots.posterior(fit)
    with pytest.raises(ConvergenceError):
        plots.curve(fit)
    plots.curve(fit, allow_unconverged=True)


def test_figures_are_drawn_into_given_axes(fit: Fit, plan: bs.Plan) -> None:
    for kind, panels in (("posterior", 4), ("curve", 6), ("frontier", 2)):
        own = Figure()
        axes = list(own.subplots(1, panels))
        subject = plan if kind == "frontier" else fit
        assert getattr(plots, kind)(subject, axes=axes) is own
        assert not own.legends
        assert all(a.get_xlabel() for a in axes)


def test_the_regret_set_is_named_in_the_legend_where_there_is_one(plan: bs.Plan) -> None:
    known = {"params_lo": 1e10, "params_hi": 4e10, "regret": 0.05, "probability": 0.8}

    def labels(one: bs.Plan) -> list[str]:
        return [t.get_text() for t in plots.frontier(one).legends[0].get_texts()]

    assert "P(waste ≤ 5 %) ≥ 0.8" in labels(replace(plan, regret_set=known))
    assert "P(waste ≤ 5 %) ≥ 0.8" not in labels(replace(plan, regret_set=None))


def test_neighbouring_groups_differ_in_grey_and_marker() -> None:
    def luminance(hex_code: str) -> float:
        red, green, blue = matplotlib.colors.to_rgb(hex_code)
        return 0.299 * red + 0.587 * green + 0.114 * blue

    assert len(set(MARKERS)) == len(MARKERS) >= 12
    assert max(map(luminance, PALETTE)) < 0.75


@pytest.mark.parametrize("name", plots.__all__)
def test_no_public_function_takes_arbitrary_keywords(name: str) -> None:
    kinds = {p.kind for p in inspect.signature(getattr(plots, name)).parameters.values()}
    assert not kinds & {inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL}


@pytest.mark.parametrize(
    ("value", "text"), [(3e8, "300M"), (1e9, "1B"), (999.9e9, "1T"), (1.4e12, "1.4T"), (20, "20")]
)
def test_counts_read_as_people_write_them(value: float, text: str) -> None:
    assert count(value) == text


def test_powers_read_as_people_write_them() -> None:
    assert power(1e24) == "$10^{24}$"
    assert power(5.88e23) == r"$5.9\times 10^{23}$"
    assert power(9.999999e23) == "$10^{24}$"


def test_a_saved_fit_is_drawn_without_a_sampler(fit: Fit, tmp_path: Path) -> None:
    fit.save(tmp_path / "fit.nc")
    code = textwrap.dedent("""
        import sys
        import bayescale as bs
        fit = bs.load_fit("fit.nc")
        plan = bs.plan(fit, bs.Budget(compute=1e23), architecture="Pythia")
        bs.plot.posterior(fit)
        bs.plot.curve(fit, architecture="Pythia")
        bs.plot.save(bs.plot.frontier(plan), "frontier")
        names = ["pymc", "pytensor", "nutpie", "arviz", "numba", "matplotlib.pyplot"]
        print(*(m for m in names if m in sys.modules), end="")
    """)
    # From another folder a source tree on a relative path would be lost.
    path = os.pathsep.join([str(Path(bs.__file__).parents[1]), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": path},
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
    assert (tmp_path / "frontier.pdf").exists()


def said(figure: Figure) -> list[str]:
    return [t.get_text() for t in figure.findobj(matplotlib.text.Text) if t.get_text()]


def test_a_new_family_is_named_as_new_and_has_no_runs_of_its_own(fit: Fit) -> None:
    alone = plots.curve(fit, architecture=bs.New("mamba-3"))
    assert "mamba-3 (new)" in said(alone)
    assert "beyond all runs" in said(alone)
    assert "beyond its runs" not in said(alone)
    both = plots.curve(fit, architecture=["Pythia", bs.New("mamba-3")])
    assert {"Pythia", "mamba-3 (new)", "beyond its runs (new: all)"} <= set(said(both))
    others = [[x for x in a.get_lines() if x.get_marker() == "."] for a in both.axes]
    assert len({x.get_color() for lines in others for x in lines}) == 1


def test_one_panel_takes_bare_axes(fit: Fit) -> None:
    axes = Figure().subplots()
    assert plots.curve(fit, architecture="Pythia", axes=axes) is axes.figure


def test_a_wide_prior_does_not_squeeze_the_groups(fit: Fit) -> None:
    known = make_fit("chinchilla", make_runs(), draws=50)
    tree = known.tree.copy()
    tree["posterior"] = xr.DataTree(
        known.posterior.map(lambda x: x.median() + 0.02 * (x - x.median()))
    )
    tight = replace(known, tree=tree)
    numbers = plots.posterior_numbers(tight)
    for i, panel in enumerate(plots.posterior(tight).axes):
        drawn = float(np.ptp(numbers["posterior"].isel(parameter=i).to_numpy()))
        assert np.ptp(panel.get_xlim()) == pytest.approx(1.5 * drawn)
    low, high = plots.posterior(fit, ["L_inf"]).axes[0].get_xlim()
    prior = plots.posterior_numbers(fit, ["L_inf"])["prior"].to_numpy()[0]
    assert low < prior[0] < prior[-1] < high, "a prior as wide as its groups is shown whole"


def test_what_has_no_name_is_not_named() -> None:
    frame = make_runs().table[["params", "tokens", "loss"]]
    unnamed = make_fit("chinchilla", bs.load_runs(frame), draws=50)
    words = said(plots.curve(unnamed)) + said(plots.posterior(unnamed))
    words += said(plots.frontier(bs.plan(unnamed, 1e23)))
    assert not any("default" in w for w in words)
    assert "all runs (9)" in words
    assert any(w.startswith("Each interval") for w in words)


def test_a_frontier_says_of_what_it_is(plan: bs.Plan) -> None:
    assert "new: next on pile" in said(plots.frontier(plan))


def test_what_is_no_fit_or_plan_is_answered_with_the_way_to_one(fit: Fit) -> None:
    with pytest.raises(PlanError, match=r"not a Fit: make one first, plan\(fit"):
        plots.frontier(fit)  # type: ignore[arg-type]
    for draw_it in (plots.posterior, plots.curve):
        with pytest.raises(ForecastError, match=r"load_fit\('fit.nc'\)"):
            draw_it("fit.nc")  # type: ignore[operator]


@pytest.mark.parametrize(("count_", "verb"), [(1, "1 family that does"), (2, "2 families that do")])
def test_families_left_out_are_counted_in_words(count_: int, verb: str) -> None:
    assert _left_out(count_).startswith(verb)


@pytest.mark.parametrize(
    ("label", "shown"),
    [
        ("GPT-NeoX", "GPT-NeoX"),
        ("变压器", "变压器"),
        ("x" * 32, "x" * 32),
        ("mamba-2-hybrid-" + "y" * 40 + "-seed-17", "mamba-2-hybrid-yyy…yyyyy-seed-17"),
        ("$5 a day for $7", r"\$5 a day for \$7"),
        ("two\nlines", "two lines"),
    ],
)  # fmt: skip
def test_a_label_fits_a_figure(label: str, shown: str) -> None:
    assert named(label) == shown
    assert len(shown.replace("\\", "")) <= 32


def test_figures_hold_whatever_a_family_is_called(tmp_path: Path) -> None:
    # Long labels leave no room for the panels, a pair of dollars begins maths that is none.
    names = {"Pythia": "p" * 180, "GPT-J": "a_$_b_$_{"}
    table = pile_families().table.replace({"architecture": names})
    fit = make_fit(runs=bs.load_runs(table), draws=50)
    plan = bs.plan(fit, bs.Budget(compute=3e23), architecture=names["GPT-J"])
    for kind in FIGURES:
        for width in ("text", "column"):
            figure = draw(kind, fit, plan, width)
            plots.save(
                figure, tmp_path / kind
            )  # a layout that collapses warns, which is an error here
            inside = figure.axes[0].get_position()
            assert min(inside.width, inside.height) > 0.1
