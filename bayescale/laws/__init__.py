"""Scaling laws as pure functions: *inputs → effective inputs → core → modifiers → link*, in numpy and in pytensor."""

from bayescale.laws.catalogue import LAWS, get_law
from bayescale.laws.core import Axis, joint_log_terms
from bayescale.laws.drift import STEP, Walk, intervals, overlap, walk_matrix, walk_steps
from bayescale.laws.drifting_frontier import drifting_optimum
from bayescale.laws.effective import EFFECTIVE, Effective
from bayescale.laws.frontier import Frontier, joint_frontier, textbook_theta
from bayescale.laws.law import Law
from bayescale.laws.modifiers import MODIFIERS, Modifier
from bayescale.laws.namespace import Array, Namespace, numpy_namespace
from bayescale.laws.numeric_frontier import (
    LocalFrontier,
    lowest_on_grid,
    numeric_frontier,
    numeric_optimum,
)
from bayescale.laws.parameter import Parameter, Support, from_link, to_link

__all__ = [
    "EFFECTIVE",
    "LAWS",
    "MODIFIERS",
    "STEP",
    "Array",
    "Axis",
    "Effective",
    "Frontier",
    "Law",
    "LocalFrontier",
    "Modifier",
    "Namespace",
    "Parameter",
    "Support",
    "Walk",
    "drifting_optimum",
    "from_link",
    "get_law",
    "intervals",
    "joint_frontier",
    "joint_log_terms",
    "lowest_on_grid",
    "numeric_frontier",
    "numeric_optimum",
    "numpy_namespace",
    "overlap",
    "textbook_theta",
    "to_link",
    "walk_matrix",
    "walk_steps",
]
