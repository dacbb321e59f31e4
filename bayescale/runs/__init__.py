"""Tables of training runs: reading, units, metrics, FLOP accounting, checks, published sets."""

from bayescale.runs.columns import UNNAMED
from bayescale.runs.datasets import DatasetInfo, dataset_info, list_datasets
from bayescale.runs.describe import Description, Design
from bayescale.runs.load import load_runs
from bayescale.runs.paths import Sharing, path_labels, paths, preceding, unfinished
from bayescale.runs.quantities import format_quantity, parse_quantity
from bayescale.runs.schedules import schedule_inputs
from bayescale.runs.solved import load_counts
from bayescale.runs.sweeps import sweeps
from bayescale.runs.table import Runs
from bayescale.runs.tasks import METRICS, Task

__all__ = [
    "METRICS",
    "UNNAMED",
    "DatasetInfo",
    "Description",
    "Design",
    "Runs",
    "Sharing",
    "Task",
    "dataset_info",
    "format_quantity",
    "list_datasets",
    "load_counts",
    "load_runs",
    "parse_quantity",
    "path_labels",
    "paths",
    "preceding",
    "schedule_inputs",
    "sweeps",
    "unfinished",
]
