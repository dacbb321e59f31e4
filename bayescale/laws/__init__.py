"""Scaling laws as pure functions of arrays: *inputs → core law → link*, one text for numpy and pytensor."""

from bayescale.laws.frontier import Frontier, joint_frontier, numeric_optimum, textbook_theta
from bayescale.laws.law import LAWS, Law, get_law
from bayescale.laws.namespace import Array, Namespace, numpy_namespace
from bayescale.laws.parameter import Parameter, Support, from_link, to_link

__all__ = [
    "LAWS",
    "Array",
    "Frontier",
    "Law",
    "Namespace",
    "Parameter",
    "Support",
    "from_link",
    "get_law",
    "joint_frontier",
    "numeric_optimum",
    "numpy_namespace",
    "textbook_theta",
    "to_link",
]
