"""Messages of the package name Python arguments; here they are respelled as the options of the command line."""

from __future__ import annotations

import ast
import re
import shlex

# Argument → the option that takes NAME=VALUE for each entry of the mapping.
_MAPPINGS = {"columns": "--column", "tasks": "--task", "task_info": "--task-info"}
_MAPPING = re.compile(
    r"(?:load_runs\((?:'[^']*'|\"[^\"]*\"|\.\.\.), )?\b(?P<name>columns|tasks|task_info)="
    r"(?P<value>\{(?:[^{}]|\{[^{}]*\})*\})(?P<tail> to load_runs|\))?"
)
_CONVERT = re.compile(
    r"in Python read it yourself: load_runs\((?P<read>pandas\.read_csv\(.*?\))\)$"
)
_PLAIN = (
    (re.compile(r"\bcompute='(\w+)'"), r"--compute-source \1"),
    (re.compile(r"\bparam_count='?([\w/-]+)'?"), r"--param-count \1"),
    (re.compile(r"\btokens_per_byte(=\S+)?"), r"--tokens-per-byte\1"),
    (re.compile(r"\bmodel='([\w-]+)'"), r"--model \1"),
    (re.compile(r"\bnoise='([\w-]+)'"), r"--noise \1"),
    (re.compile(r"\bby='(\w+)'"), r"--by \1"),
    (re.compile(r"\bbs\.suggest\(runs\)"), "bayescale suggest RUNS"),
    (re.compile(r"\breference=(?!\w)"), "--reference"),
    (re.compile(r"\btarget_loss=(?!\w)"), "--target-loss"),
    (re.compile(r"\btotal_steps=(?!\w)"), "--total-steps"),
    (re.compile(r"\bpool=False\b"), "--no-pool"),
    (re.compile(r"\bcorrelation=False\b"), "--no-correlation"),
    (re.compile(r"\bload_runs\(\.\.\., checkpoints='all'\)"), "--checkpoints all"),
    (re.compile(r"\btarget_accept\b"), "--target-accept"),
    (re.compile(r"\braise (draws|tune)\b"), r"raise --\1"),
    (re.compile(r"\.where\(unflagged=True\)"), "--unflagged"),
    (re.compile(r"\ballow_(\w+)=True"), r"--allow-\1"),
    (re.compile(r"\boverwrite=True"), "--force"),
    (re.compile(r"\bdrop_blank=True"), "--drop-blank"),
)


def for_the_shell(text: str) -> str:
    """Respell ``tasks={'c4': 'eval/c4/loss'}`` as ``--task c4=eval/c4/loss``, and so on.

    What is not recognised stays as it is.
    """
    text = _CONVERT.sub(_conversion, text)
    text = _MAPPING.sub(_options, text)
    for pattern, option in _PLAIN:
        text = pattern.sub(option, text)
    return text


def _conversion(found: re.Match[str]) -> str:
    code = f"import pandas; {found['read']}.to_csv('converted.csv', index=False)"
    return f"convert it: python -c {shlex.quote(code)}"


def _options(found: re.Match[str]) -> str:
    option, tail = _MAPPINGS[found["name"]], found["tail"] or ""
    # A bracket that was not opened by load_runs( belongs to the sentence.
    rest = tail if tail == ")" and not found[0].startswith("load_runs(") else ""
    try:
        mapping = ast.literal_eval(found["value"].replace("…", "'VALUE'"))
    except (ValueError, SyntaxError):  # {…} with words of its own: only the name can be respelled
        return f"{option} NAME=VALUE{rest}"
    if not isinstance(mapping, dict):
        return f"{option} NAME=VALUE{rest}"
    words = [f"{option} {shlex.quote(pair)}" for pair in _pairs(mapping)]
    return " ".join(words) + rest


def _pairs(mapping: dict[str, object]) -> list[str]:
    pairs = []
    for name, value in mapping.items():
        if isinstance(value, dict):
            pairs += [f"{name}.{key}={inner}" for key, inner in value.items()]
        else:
            pairs.append(f"{name}={value}")
    return pairs
