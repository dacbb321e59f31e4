"""Results of finished folds in a folder, so that a back-test that was stopped goes on where it was."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from bayescale.baselines import VERSION as BASELINE_VERSION
from bayescale.baselines import Baseline
from bayescale.errors import BayescaleError, DataError
from bayescale.files import written_beside
from bayescale.runs import Runs
from bayescale.spec import ModelSpec, resolve
from bayescale.workflow.folds import Fold
from bayescale.zoo import load_populations

VERSION = 5  # of what a kept fold holds
_CHOSEN = (
    "exclude",
    "pool",
    "drift",
    "sweep",
    "run_effect",
    "noise",
    "correlation",
)  # of the settings, by the model


class Kept:
    """One file a fold, named by a key of all that its result depends on; without a folder nothing is kept."""

    def __init__(self, folder: str | Path | None) -> None:
        self.folder = None if folder is None else Path(folder)
        if self.folder is not None:
            try:
                self.folder.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise BayescaleError(f"cannot write {folder}: {error.strerror or error}") from None

    def key(
        self, entrant: ModelSpec | Baseline, fold: Fold, table: Runs, settings: dict[str, Any]
    ) -> str:
        """What tells the result of a fold from any other; refuses a model that cannot be resolved on it."""
        if isinstance(entrant, Baseline):
            who, chosen = f"{entrant.name}, version {BASELINE_VERSION}", {"seed": settings["seed"]}
        else:
            # The resolved model holds the priors as numbers: a fold is not taken over from other priors.
            said = {k: settings[k] for k in _CHOSEN}
            model = resolve(entrant, fold.fitted, load_populations(), **said)
            who, chosen = model.hash, settings
        text = json.dumps([who, fold.name, fold.fitted.hash, table.hash, chosen, VERSION])
        return hashlib.sha256(text.encode()).hexdigest()[:20]

    def read(self, key: str) -> dict[str, Any] | None:
        """The result under a key, or None."""
        path = None if self.folder is None else self.folder / f"fold-{key}.json"
        if path is None or not path.exists():
            return None
        try:
            found: dict[str, Any] = json.loads(path.read_text("utf-8"))
        except ValueError:
            raise DataError(
                f"{path} is no result of a fold; remove it, and the fold is run"
            ) from None
        return found

    def write(self, key: str, part: dict[str, Any]) -> None:
        """Keep a result."""
        if self.folder is not None:
            with written_beside(self.folder / f"fold-{key}.json") as beside:
                beside.write_text(json.dumps(part), "utf-8")
