"""Column names: what the package calls a column, and what other people call it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from bayescale.errors import DataError, unknown
from bayescale.given import GIVEN
from bayescale.runs.quantities import PLAIN, Unit, parse_unit

TEXT = ("run_id", "architecture", "task", "study", "seed", "sweep", "flag")
TRUTHS = ("unfinished", "held_out")
NUMBERS = (
    "params", "tokens", "compute", "loss_se", "step",
    "params_total", "params_non_embedding", "params_active", "forward_flops", "trials", "upstream_loss", *GIVEN,
)  # fmt: skip
CANONICAL = (
    "run_id", "architecture", "task", "study", "params", "tokens", "compute", "loss", "loss_se",
    "step", "seed", "sweep", "params_total", "params_non_embedding",
    "params_active", "forward_flops", "trials", "upstream_loss", *GIVEN, "unfinished", "held_out",
    "flag",
)  # fmt: skip
# What the parts of a table that names neither family nor task are called.
UNNAMED = {"architecture": "default", "task": "loss"}
ALWAYS = ("run_id", "architecture", "task", "study", "loss")

# Written as :func:`normalise` leaves a header: lower case, words joined by "_".
ALIASES: dict[str, tuple[str, ...]] = {
    "run_id": ("run", "run_name", "id", "model", "model_name", "name"),
    "architecture": ("arch", "family", "model_family", "architecture_family"),
    "task": ("task_name", "benchmark", "eval_task"),
    "study": ("source", "paper"),
    "params": ("n", "n_params", "num_params", "nparams", "parameters", "n_parameters",
               "num_parameters", "model_size", "model_params"),
    "tokens": ("d", "n_tokens", "num_tokens", "ntokens", "d_tokens", "train_tokens",
               "training_tokens", "tokens_seen", "tokens_trained", "examples_seen", "samples_seen",
               "images_seen", "n_examples"),
    "compute": ("c", "flops", "flop", "training_flops", "training_flop", "train_flops",
                "train_flop", "total_flops", "training_compute", "train_compute",
                "flops_reported"),
    "loss": ("l", "val_loss", "validation_loss", "test_loss", "eval_loss", "final_loss",
             "loss_val", "loss_validation", "xent", "nll", "cross_entropy", "bpb",
             "bits_per_byte", "bits_per_token", "bpt", "ppl", "perplexity", "val_ppl",
             "error", "err", "error_rate", "test_error", "top1_err", "accuracy", "acc",
             "test_accuracy", "top1", "acc1"),
    "loss_se": ("se", "stderr", "std_err", "standard_error", "loss_stderr", "loss_std_err",
                "loss_standard_error", "value_se"),
    "step": ("steps", "training_step", "global_step", "iteration", "iter"),
    "seed": ("random_seed",),
    "sweep": ("campaign", "isoflop", "budget"),
    "params_total": ("n_total", "total_params", "total_parameters", "n_params_total"),
    "params_non_embedding": ("n_nonembedding", "n_non_embedding", "non_embedding_params",
                             "nonembedding_params", "params_nonembedding",
                             "params_no_embedding", "non_embedding_parameters", "n_non_emb",
                             "params_non_emb", "non_emb_params", "params_non_embed",
                             "n_params_non_embed", "n_params_non_embedding"),
    "params_active": ("active_params", "n_active", "activated_params", "active_parameters"),
    "forward_flops": ("forward_flop", "fwd_flops", "inference_flops", "flops_per_token", "macs",
                      "gmacs", "mmacs", "tmacs", "gmacs_per_sample", "macs_per_sample", "gflops",
                      "gflop", "mflops", "mult_adds"),
    "trials": ("n_items", "num_items", "n_trials", "num_trials", "n_questions", "num_questions"),
    "upstream_loss": ("first_step_loss", "proxy_loss", "task_bpb"),
    "unfinished": ("censored", "incomplete", "not_finished", "still_training"),
    "held_out": ("holdout", "hold_out", "extrapolation"),
    "flag": ("flags", "anomaly", "flagged"),
    **{given.name: given.aliases for given in GIVEN.values()},
}  # fmt: skip
# Names that mean an amount of data only when a unit says so: `data` alone is often a corpus name.
_NEED_UNIT = {"data": "tokens", "dataset_size": "tokens", "data_size": "tokens",
              "training_data": "tokens", "train_data": "tokens", "dataset": "tokens",
              "training_dataset_size": "tokens", "training_data_size": "tokens"}  # fmt: skip
_NAME_UNITS = {"gmacs": "GMACs", "mmacs": "MMACs", "tmacs": "TMACs", "macs": "MACs",
               "gmacs_per_sample": "GMACs", "macs_per_sample": "MACs", "mult_adds": "MACs",
               "gflops": "GFLOP", "gflop": "GFLOP", "mflops": "MFLOP"}  # fmt: skip
_PF_DAYS = re.compile(
    r"((?:train_|training_)?compute_|c_)?(pf|pflops?|petaflops?|pfs|pflop_s|petaflop_s)_?days?"
)
_BY_ALIAS = {alias: name for name, group in ALIASES.items() for alias in (name, *group)}
_BRACKETS = re.compile(r"^(?P<base>.*?)\s*[\(\[]\s*(?P<unit>[^()\[\]]+?)\s*[\)\]]\s*$")
_SUFFIX = re.compile(
    r"^(?P<base>.+)_(?P<unit>k|m|b|t|thousands?|millions?|billions?|trillions?|[kmgt]i?b|bytes"
    r"|(?:[pezy]|peta|exa|zetta|yotta)flops?)$"  # less is a speed, or the cost of a forward pass
)


@dataclass(frozen=True)
class Column:
    """One column of the table as it came: its header, its unit and the unit's text.

    `stated` says that the caller gave the unit, so that its numbers are believed however strange.
    """

    header: str
    unit: Unit = PLAIN
    unit_text: str = ""
    stated: bool = False


@dataclass(frozen=True)
class Matching:
    """Which header plays which canonical part, and what was left over."""

    found: dict[str, Column]
    unused: tuple[str, ...] = ()
    notes: tuple[str, ...] = field(default=())


def normalise(header: str) -> str:
    """Lower-case a header and join its words with `_` (`Training FLOP` → `training_flop`)."""
    return re.sub(r"[^a-z0-9%]+", "_", header.strip().lower()).strip("_")


def split_unit(header: str) -> tuple[str, str]:
    """Split `params (B)` or `tokens [T]` into name and unit; the unit is empty if there is none."""
    found = _BRACKETS.match(header)
    return (found["base"], found["unit"]) if found else (header, "")


def recognise(header: str) -> tuple[str, str] | None:
    """Find the canonical name and the unit text of a header; None if it is no known column."""
    whole = normalise(header)
    if whole in _BY_ALIAS:  # also "params (total)", which is no unit
        return _BY_ALIAS[whole], _NAME_UNITS.get(whole, "")
    if _PF_DAYS.fullmatch(whole):
        return "compute", "PF-days"
    base, unit = split_unit(header)
    if not unit and (suffix := _SUFFIX.match(whole)):
        base, unit = suffix["base"], suffix["unit"]
        known = {**_BY_ALIAS, **_NEED_UNIT}.get(normalise(base))
        return (known, unit) if known in ("tokens", "params", "compute") else None
    if not unit:
        return None
    name = {**_NEED_UNIT, **_BY_ALIAS}.get(normalise(base))
    if name == "compute" and re.search(r"macs?$", unit.lower()):
        name = "forward_flops"  # nobody counts training in multiply-accumulates
    return (name, unit) if name else None


def match_columns(
    headers: Sequence[str], columns: Mapping[str, str] | None, taken: Sequence[str] = ()
) -> Matching:
    """Give every canonical column the header that holds it.

    Parameters
    ----------
    headers : sequence of str
        The table's headers.
    columns : mapping of str to str, optional
        Canonical name → header, with or without a unit in brackets; beats every alias. An empty header: there is no
        such column, whatever a header looks like.
    taken : sequence of str
        Headers already spoken for (task columns of a wide table).

    Returns
    -------
    Matching

    Raises
    ------
    DataError
        Two headers for one column, or a unit that cannot be read.
    UnknownNameError
        A canonical name or header in `columns` that does not exist.
    """
    absent = {name for name, header in (columns or {}).items() if not header.strip()}
    found = _explicit(headers, {n: h for n, h in (columns or {}).items() if h.strip()})
    for name in absent - set(CANONICAL):
        raise unknown("column", name, CANONICAL, "columns={…} (canonical name → your header)")
    spoken = {c.header for c in found.values()} | set(taken)
    candidates: dict[str, list[tuple[str, str]]] = {}
    for header in headers:
        if header in spoken:
            continue
        if known := recognise(header):
            candidates.setdefault(known[0], []).append((header, known[1]))
    notes: list[str] = []
    for name, options in candidates.items():
        if name in found or name in absent or (name == "loss" and taken):
            continue
        if name in GIVEN and len(options) > 1 and name not in [normalise(h) for h, _ in options]:
            could = ", ".join(repr(h) for h, _ in options)
            notes.append(f"columns {could} could all be {name}: none is taken, columns={{…}} says")
            continue
        header, unit_text = _choose(name, options, notes)
        found[name] = _column(name, header, unit_text)
    used = {c.header for c in found.values()} | set(taken)
    unused = tuple(h for h in headers if h not in used)
    for name, column in found.items():
        if column.unit.factor != 1.0 and not column.unit.is_bytes:
            notes.append(
                f"column {column.header!r}: {name} read in units of {column.unit.factor:g}"
            )
    return Matching(found, unused, tuple(notes))


def _explicit(headers: Sequence[str], columns: Mapping[str, str]) -> dict[str, Column]:
    found: dict[str, Column] = {}
    for name, header in columns.items():
        if name not in CANONICAL:
            raise unknown("column", name, CANONICAL, "columns={…} (canonical name → your header)")
        # `columns={"params": "size (M)"}` gives a unit to a header that has none.
        base, unit_text = split_unit(header)
        stated = header not in headers and unit_text != ""
        if header in headers:
            actual = header
            known = recognise(header)
            unit_text = unit_text or (known[1] if known and known[0] == name else "")
        elif base in headers:
            actual = base
        else:
            raise unknown("header", header, headers, f"columns={{{name!r}: …}}")
        found[name] = replace(_column(name, actual, unit_text), stated=stated)
    return found


def _column(name: str, header: str, unit_text: str) -> Column:
    if name in TEXT or name in ("loss", "loss_se") or not unit_text:
        return Column(header, PLAIN, unit_text)
    try:
        return Column(header, parse_unit(unit_text, name), unit_text)
    except DataError as error:
        example = "PFLOP" if name in ("compute", "forward_flops") else "M"
        raise DataError(
            f"column {header!r}: {error}; rename it, or say its unit: columns={{{name!r}: '{header} ({example})'}}"
        ) from None


def _choose(name: str, options: list[tuple[str, str]], notes: list[str]) -> tuple[str, str]:
    if len(options) == 1:
        return options[0]
    exact = [o for o in options if normalise(split_unit(o[0])[0]) == name]
    others = [h for h, _ in options]
    if len(exact) != 1:
        raise DataError(
            f"columns {', '.join(map(repr, others))} could all be {name!r}; "
            f"choose one: columns={{{name!r}: {others[0]!r}}}"
        )
    rest = ", ".join(repr(h) for h in others if h != exact[0][0])
    notes.append(f"column {exact[0][0]!r} is {name}; {rest} left out")
    return exact[0]
