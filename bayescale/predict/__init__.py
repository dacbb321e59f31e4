"""Label-aligned forecasts for known and new groups; what a decision is made from."""

from bayescale.posterior import New
from bayescale.predict.calibration import Backtest, load_backtest
from bayescale.predict.chained import (
    as_groups,
    error_of_run,
    first_offset,
    second_offset,
    upstream_notes,
)
from bayescale.predict.chances import run_cdf
from bayescale.predict.comparison import Comparison, compare, require_same_settings, stack
from bayescale.predict.distance import (
    decades_outside,
    distance,
    distance_note,
    fitted_edge,
    in_words,
)
from bayescale.predict.forecast import (
    DRIFTING,
    EXACT_LAW,
    LARGEST_SHARE,
    Forecast,
    Kind,
    assumption,
    predict,
)
from bayescale.predict.noise import (
    Noise,
    campaign_offset,
    predictive_log_density,
    run_centre,
    run_log_loss,
)
from bayescale.predict.points import FLOP_PER_PARAM_TOKEN, complete, grid, locate
from bayescale.predict.pointwise import Loo, loo, pointwise
from bayescale.predict.replay import sentences
from bayescale.predict.replication import expected_coverage, replayed, replicated
from bayescale.predict.rows import (
    Rows,
    all_rows,
    by_group,
    group_positions,
    log_likelihood,
    row_sweeps,
)
from bayescale.predict.scores import (
    crps,
    interval_score,
    joint_log_score,
    mixture,
    scored,
)
from bayescale.predict.weights import stacking_weights

__all__ = [
    "DRIFTING",
    "EXACT_LAW",
    "FLOP_PER_PARAM_TOKEN",
    "LARGEST_SHARE",
    "Backtest",
    "Comparison",
    "Forecast",
    "Kind",
    "Loo",
    "New",
    "Noise",
    "Rows",
    "all_rows",
    "as_groups",
    "assumption",
    "by_group",
    "campaign_offset",
    "compare",
    "complete",
    "crps",
    "decades_outside",
    "distance",
    "distance_note",
    "error_of_run",
    "expected_coverage",
    "first_offset",
    "fitted_edge",
    "grid",
    "group_positions",
    "in_words",
    "interval_score",
    "joint_log_score",
    "load_backtest",
    "locate",
    "log_likelihood",
    "loo",
    "mixture",
    "pointwise",
    "predict",
    "predictive_log_density",
    "replayed",
    "replicated",
    "require_same_settings",
    "row_sweeps",
    "run_cdf",
    "run_centre",
    "run_log_loss",
    "scored",
    "second_offset",
    "sentences",
    "stack",
    "stacking_weights",
    "upstream_notes",
]
