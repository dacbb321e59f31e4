"""What goes wrong at the command line: an exit code, one line on standard error, nothing on standard output."""

from __future__ import annotations

import json
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from helpers import make_fit, stopped

from bayescale.cli import run

Fail = Callable[[str, int], tuple[str, str]]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Good and bad files for all the commands below."""
    place = tmp_path_factory.mktemp("cli")
    make_fit(draws=100).save(place / "good.nc")
    make_fit(draws=100, converged=False).save(place / "unconverged.nc")
    make_fit("compute", draws=100).save(place / "compute.nc")
    (place / "truncated.nc").write_bytes((place / "good.nc").read_bytes()[:5000])
    (place / "text.nc").write_text("hello")
    (place / "mine.json").write_text("mine")
    (place / "there.png").write_text("mine")
    (place / "bad.csv").write_text("N,D,loss\nx,2e10,3\n-1,3e10,4\n1e9,2e10,nan\n")
    (place / "wide.csv").write_text("N,D,eval/c4/loss\n1e9,2e10,3\n2e9,2e10,2.9\n")
    (place / "empty.csv").write_text("")
    (place / "semi.csv").write_text("N;D;loss\n1e9;2e10;3\n")
    (place / "blank.csv").write_text("N,D,loss\n1e9,,3\n3e9,2e10,2.9\n")
    (place / "scores.csv").write_text("N,D,mAP\n1e9,2e10,.3\n")
    (place / "points.csv").write_text("N,D\n70B,1.4T\n-7B,1T\n")
    (place / "nothing.csv").write_text("colour\nred\n")
    (place / "bad.toml").write_text('extends = "compute"\nlaww = "data"\n')
    (place / "a-folder").mkdir()
    return place


PRICES = "--price-per-hour 2.7 --mfu .4 --hardware H100-SXM"
COST = "cost --params 70B --tokens 1.4T"
# A figure is a PDF and a PNG, and there is a there.png.
FIGURES = [
    "plot good.nc posterior -o there",
    "check good.nc --plot there",
    "backtest pile-families -o new.json --figure there",
    "sbc data --design pile-families -o new --figure there",
    "compare --backtest mine.json --figure there",
    "cheapest good.nc --target-loss 2 --plot there",
    "design good.nc absent.toml --plot there",
    "score --ledger absent.jsonl --plot there",
    "models show saturating --plot there",
    "plan good.nc --compute 1e24 --architecture Pythia --plot there",
]
# Words of the command, and what its one line must contain.
USER_ERRORS = [
    *(
        (
            f"{command} --architecture Pythia --new-architecture mamba-3",
            "--architecture or --new-architecture, not both",
        )
        for command in (
            "cheapest good.nc --target-loss 2",
            "stopping good.nc --per-nat 1e8 --price-per-hour 2 --mfu .4 --hardware H100-SXM",
            "pareto good.nc --low 1e22 --high 1e23 --mfu .4 --hardware H100-SXM",
            "plan good.nc --compute 1e24",
            "lifetime good.nc --target-loss 2",
        )
    ),
    ("lifetime good.nc --target-loss -2 --architecture Pythia", "target_loss = -2"),
    (
        "lifetime good.nc --target-loss 2 --served-tokens few --architecture Pythia",
        "--served-tokens",
    ),
    ("lifetime compute.nc --target-loss 2 --architecture Pythia", "no choice of N and D"),
    ("plan good.nc --compute 1e24 --architecture Pythia --failed .1", "give price_per_hour"),
    (f"plan good.nc --dollars 5e6 {PRICES} --restarts -1 --architecture Pythia", "restarts = -1"),
    ("plan good.nc --compute 1e24 --architecture Pythia --backtest mine.json", "no back-test"),
    (
        "select good.nc --compute 1e24 --by experts --among 1 --architecture Pythia",
        "two values or more",
    ),
    ("models show parametr-data", "did you mean 'parameter-data'"),
    ("models show nope.toml", "no model file"),
    ("models show bad.toml", "did you mean 'law'"),
    ("models copy comput", "did you mean 'compute'"),
    ("models copy compute mine.json", "exists already"),
    ("data show pile-familes", "did you mean the published set 'pile-families'"),
    ("data show bad.csv", "3 bad cells"),
    (
        "data show semi.csv",
        "pandas.read_csv('\"'\"'semi.csv'\"'\"', sep='\"'\"';'\"'\"').to_csv(",
    ),
    ("data show blank.csv", "; --drop-blank leaves out rows"),
    (
        "data show scores.csv",
        "--column loss=mAP, and what it measures: --task-info '*.metric=accuracy'",
    ),
    ("data show blank.csv --column loss=", "type: --column loss=loss"),
    ("backtest blank.csv --drop-blank --column tokens= -o new.json", "it has params: --by params"),
    ("fit blank.csv --drop-blank --column tokens= -o new.nc", "without: bayescale suggest RUNS"),
    ("data show ''", "the name of the table is empty"),
    ("fit bad.csv -o bad.csv --force", "bad.csv is what is read"),
    ("plan good.nc --compute 1e24 -o good.nc --force", "good.nc is what is read"),
    ("compare good.nc --backtest mine.json -o mine.json --force", "mine.json is what is read"),
    *((f"{words}.pdf", "there.png exists already") for words in FIGURES),
    *((f"{words}.svg", "name the file there.pdf") for words in FIGURES),
    ("data show wide.csv", "--task c4=eval/c4/loss"),
    ("data show empty.csv", "empty"),
    ("data show a-folder", "a-folder"),
    ("data show wide.csv --task c4=eval/c4/lost", "did you mean 'eval/c4/loss'"),
    ("data show wide.csv --task c4", "expected NAME=VALUE"),
    ("data show wide.csv --column parms=N", "did you mean 'params'"),
    ("data show wide.csv --task c4=eval/c4/loss --task-info c4.metrc=x", "did you mean 'metric'"),
    ("data show wide.csv --task-info metric=x", "expected LABEL.FIELD=VALUE"),
    ("fit pile-families -o no/where.nc", "no folder no"),
    ("fit pile-families -o a-folder", "it is a folder"),
    (
        "fit pile-families -o good.nc",
        "exists already; name another file, or replace it with --force",
    ),
    ("fit pile-familes -o new.nc", "did you mean"),
    ("fit bad.csv -o new.nc", "row 2, column 'N': 'x'"),
    ("fit pile-families -o new.nc --model comput", "did you mean 'compute'"),
    ("fit pile-families -o new.nc --model bad.toml", "did you mean 'law'"),
    ("fit pile-families -o new.nc --prior beta", "--prior 'beta': expected NAME=VALUE"),
    ("fit pile-families -o new.nc --prior betta=HalfNormal(sigma=1)", "did you mean 'beta'"),
    ("fit pile-families -o new.nc --prior beta=LogNorml(mu=0,sigma=1)", "'LogNormal'"),
    ("fit pile-families -o new.nc --prior a=x --prior a=y", "given twice"),
    ("fit pile-families -o new.nc --exclude chinchila", "did you mean 'chinchilla'"),
    ("fit pile-families -o new.nc --seed -1", "--seed -1"),
    ("fit pile-families -o new.nc --cores 0", "--cores 0"),
    ("fit pile-families -o new.nc --draws 0", "draws = 0"),
    ("fit pile-families -o new.nc --target-accept 1", "between 0 and 1"),
    ("check nope.nc", "no fit file nope.nc"),
    ("check text.nc", "not a NetCDF file"),
    ("check truncated.nc", "truncated"),
    ("check a-folder", "it is a folder"),
    ("predict good.nc", "say where to forecast"),
    (
        "predict good.nc --params 70 --tokens 1T --architecture Pythia",
        "params 70 lies 6.0 decades below every fitted run: a unit is missing, as in --params 70B",
    ),
    ("predict good.nc --params 70B --tokens 1T", "--architecture"),
    ("predict good.nc --params 70B --tokens 1T --architecture Pytia", "did you mean 'Pythia'"),
    ("predict good.nc --params 70B --tokens 1T --architecture Pytia", "--new-architecture"),
    ("predict good.nc --params 70B --tokens 1T --architecture Pythia --task pil", "'pile'"),
    (
        "predict good.nc --params 70Q --tokens 1T --architecture Pythia",
        "--params: unknown unit 'Q'",
    ),
    ("predict good.nc --params -5 --tokens 1T --architecture Pythia", "positive"),
    ("predict good.nc --params 70B --architecture Pythia", "tokens missing"),
    ("predict good.nc --at points.csv --architecture Pythia", "row 3, column 'N': '-7B'"),
    ("predict good.nc --at nothing.csv --architecture Pythia", "no column params"),
    ("predict good.nc --at nope.csv --architecture Pythia", "no file nope.csv"),
    ("predict good.nc --at points.csv --params 70B", "not both"),
    ("plan good.nc --architecture Pythia", "--compute FLOP or --dollars"),
    ("plan good.nc --compute 1e24 --dollars 5e6", "one of the two"),
    ("plan good.nc --dollars 5e6", "--price-per-hour"),
    ("plan good.nc --dollars 5e6 --price-per-hour 2 --mfu abc --hardware H100-SXM", "abc"),
    ("plan good.nc absent.toml", "cannot read absent.toml"),
    ("plan good.nc absent.toml --compute 1e24", "states the problem: move budget"),
    ("score absent.json runs.csv", "cannot read absent.json"),
    ("monitor absent.json runs.csv", "cannot read absent.json"),
    ("plan good.nc --compute 1e24", "--architecture"),
    ("plan good.nc --compute lots --architecture Pythia", "--compute"),
    ("plan good.nc --compute 1e24 --risk cvr:0.1 --architecture Pythia", "did you mean 'cvar:0.1'"),
    ("plan good.nc --compute 1e24 --risk cvar:2 --architecture Pythia", "CVaR share"),
    ("plan good.nc --compute 1e24 --target-loss -1 --architecture Pythia", "positive loss"),
    ("plan good.nc --compute 1e24 --architecture Pythia -o mine.json", "--force"),
    ("plan good.nc --compute 1e24 --architecture Pythia -o no/plan.json", "no folder"),
    ("plan good.nc --compute 1e24 --architecture Pythia --new-architecture x", "not both"),
    (
        "plan good.nc --dollars 5e6 --price-per-hour 2.7 --mfu .4 --hardware H100 "
        "--architecture Pythia",
        "did you mean 'H100",
    ),
    ("plan compute.nc --compute 1e24 --architecture Pythia", "joint"),
    (f"stopping good.nc {PRICES} --architecture Pythia", "one of --per-nat"),
    (f"stopping good.nc {PRICES} --per-nat 1 --worth 2 --architecture Pythia", "one of --per-nat"),
    (f"stopping good.nc {PRICES} --worth 5e6 --architecture Pythia", "--target-loss or --accuracy"),
    (
        f"stopping good.nc {PRICES} --worth 5e6 --accuracy chance=1 --architecture Pythia",
        "best, midpoint, slope",
    ),
    (
        "pareto good.nc --low 1e23 --high 1e22 --hardware H100-SXM --mfu .4 --architecture Pythia",
        "smaller one",
    ),
    (
        "pareto good.nc --low 1e22 --high 1e23 --hardware H100-SXM --mfu .4 --price 1 --price 2 "
        "--architecture Pythia",
        "one for each --hardware",
    ),
    ("cheapest good.nc --target-loss -2 --architecture Pythia", "positive loss"),
    ("cheapest good.nc --target-loss 2 --architecture Pythia --probability 1", "between 0 and 1"),
    ("cheapest good.nc --target-loss .1 --architecture Pythia", "in 100 % of the draws the floor"),
    ("cheapest good.nc --target-loss 2 --architecture Pythia --mfu .4", "needs all of"),
    ("cheapest good.nc --target-loss 2 --plot no/figure.pdf --architecture Pythia", "no folder"),
    ("cheapest compute.nc --target-loss 2 --architecture Pythia", "joint"),
    (f"{COST} --hardware H100-SMX --mfu .4", "did you mean 'H100-SXM'"),
    (f"{COST} --hardware H100-SXM --mfu 1.2", "mfu = 1.2 (expected a share in (0, 1])"),
    (f"{COST} --hardware H100-SXM --mfu .4 --price -2", "price_per_hour = -2"),
    (f"{COST} --hardware H100-SXM --mfu .4 --grid frence", "did you mean 'france'"),
    (f"{COST} --hardware H100-SXM --mfu .4 --served-tokens 1T", "go together"),
    (f"{COST} --hardware H100-SXM --mfu .4 --seed -1", "--seed -1"),
    ("cost --params 70B --tokens 0 --hardware H100-SXM --mfu .4", "tokens = 0"),
    ("cost --params lots --tokens 1T --hardware H100-SXM --mfu .4", "--params"),
    ("plot good.nc posterior -o no/figure.pdf", "no folder"),
    ("plot good.nc posterior -o figure.svg", "figure.pdf"),
    ("plot good.nc frontier -o figure.pdf", "add --compute 1e24"),
    ("plot good.nc curve -o figure.pdf --compute 1e24", "belongs to a frontier"),
    ("demo --out nowhere", "no such folder"),
    ("demo --seed -1", "--seed -1"),
]
WRONG_USAGE = [
    "bogus",
    "models bogus",
    "models show",
    "data --bogus",
    "fit",
    "fit pile-families",
    "fit pile-families -o new.nc --bogus 3",
    "fit pile-families -o new.nc --draws many",
    "fit pile-families -o new.nc --draws 20.6",
    "fit pile-families -o new.nc --param-count nonembedding",
    "check",
    "predict good.nc --kind rum --compute 1e24",
    "plot good.nc fronteer -o figure.pdf",
    "plot good.nc posterior -o figure.pdf --width wide",
    "demo extra",
]
UNCONVERGED = [
    "check unconverged.nc",
    "predict unconverged.nc --compute 1e24 --architecture Pythia",
    "plan unconverged.nc --compute 1e24 --architecture Pythia",
    "plot unconverged.nc posterior -o figure.pdf",
]


@pytest.fixture
def fail(folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Fail:
    """Run a command that must end with a code, changing no file; gives standard output and the one line of error."""

    def do(words: str, code: int) -> tuple[str, str]:
        monkeypatch.chdir(folder)
        before = {p.name: p.read_bytes() for p in folder.iterdir() if p.is_file()}
        assert run(shlex.split(words)) == code
        after = {p.name: p.read_bytes() for p in folder.iterdir() if p.is_file()}
        assert after == before, "a command that failed changed a file"
        out, err = capsys.readouterr()
        assert err.startswith("bayescale: ")
        assert err.endswith("\n")
        assert err.count("\n") == 1, "more than one line"
        assert "Traceback" not in err
        return out, err

    return do


@pytest.mark.parametrize(("words", "expected"), USER_ERRORS)
def test_user_error_is_one_line_and_1(words: str, expected: str, fail: Fail) -> None:
    out, err = fail(words, 1)
    assert out == ""
    assert expected in err


@pytest.mark.parametrize("words", WRONG_USAGE)
def test_wrong_usage_is_one_line_and_2(words: str, fail: Fail) -> None:
    out, err = fail(words, 2)
    assert out == ""
    assert "--help" in err


def test_an_unknown_command_has_a_nearest_name(fail: Fail) -> None:
    _, err = fail("forecast good.nc", 2)
    assert "unknown command 'forecast'" in err
    assert "predict" in err
    assert "did you mean 'predict'" in fail("predct good.nc", 2)[1]
    assert "unknown command 'shw'; did you mean 'show'" in fail("models shw compute", 2)[1]


@pytest.mark.parametrize("words", UNCONVERGED)
def test_a_fit_that_did_not_converge_is_3(words: str, fail: Fail) -> None:
    out, err = fail(words, 3)
    assert (out != "") == words.startswith("check"), "only check still shows the summary"
    assert "did not converge" in err


@pytest.mark.parametrize("words", UNCONVERGED)
def test_json_says_why_a_fit_did_not_converge(words: str, fail: Fail) -> None:
    out, err = fail(f"{words} --json", 3)
    assert json.loads(out)["convergence"]["passed"] is False
    assert "did not converge" in err
    assert "--allow-unconverged" in err
    assert not re.search(r"allow_unconverged|target_accept", err)


def test_an_unconverged_fit_may_be_used_on_purpose(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    where = ["--compute=1e24", "--architecture=Pythia", "--allow-unconverged"]
    for command in ("predict", "plan"):
        assert run([command, str(folder / "unconverged.nc"), *where]) == 0
        assert "did not converge" in capsys.readouterr().out
    for kind in ("posterior", "curve", "frontier"):
        of = where if kind == "frontier" else where[2:]
        drawn = ["plot", str(folder / "unconverged.nc"), kind, "-o", str(tmp_path / kind), *of]
        assert run(drawn) == 0


def test_a_wrong_table_or_option_fails_before_the_sampler_is_loaded(folder: Path) -> None:
    code = (
        "import sys; from bayescale.cli import run\n"
        "for words in ('fit bad.csv -o x.nc', 'fit pile-families -o good.nc',"
        " 'fit pile-families -o no/x.nc', 'fit pile-families -o x.nc --prior betta=x(a=1)'):\n"
        "    assert run(words.split()) == 1\n"
        "assert not {'pymc', 'pytensor', 'nutpie'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=folder, capture_output=True)


def test_ctrl_c_is_130(tmp_path: Path) -> None:
    """The handler is in place before anything slow begins: here, reading a table that never ends."""
    code = (
        "import pathlib, sys, time, bayescale.runs\n"
        "def endless(*args, **options):\n"
        "    pathlib.Path('reading').touch(); time.sleep(60)\n"
        "bayescale.runs.load_runs = endless\n"
        "from bayescale.cli import main\n"
        "sys.argv = ['bayescale', 'data', 'show', 'x.csv']\n"
        "main()"
    )
    done = stopped(code, tmp_path, "reading", signal.SIGINT)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "bayescale: interrupted\n")
