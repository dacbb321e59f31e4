"""Distillation: the loss of a student, between what it would reach alone and its teacher.

Busbridge et al. 2025 (arXiv:2502.08606), as quoted: L_S = L_T + L_T^(−c₀)·(1 + (L_T/(L̃_S·d₁))^(1/f₁))^(−c₁f₁)·R(N,
D), with L_T the teacher's loss, L̃_S what the student would reach by supervised training on the same N and D, and R
the law of the student. The middle factor turns at L_T = d₁·L̃_S: beyond it a better teacher teaches worse (the
capacity gap). L_T stands for the floor, so that a model of students has none of its own.
"""

from __future__ import annotations

from collections.abc import Mapping

from bayescale.laws.namespace import Array, Namespace
from bayescale.laws.parameter import Parameter

TEACHER_POWER = Parameter(
    "teacher_power", "real", "shape", "", "c_0", "exponent of the teacher's loss, negative"
)
GAP_POWER = Parameter(
    "gap_power",
    "positive",
    "shape",
    "",
    "c_1",
    "further exponent of the teacher's loss beyond the gap",
)
GAP_AT = Parameter(
    "gap_at",
    "positive",
    "shape",
    "",
    "d_1",
    "loss of the teacher over that of the student alone, at the gap",
)
GAP_SOFTNESS = Parameter(
    "gap_softness", "positive", "shape", "", "f_1", "width of the gap in e-folds of that ratio"
)


def distilled(
    xp: Namespace, log_r: Array, beside: Mapping[str, Array], theta: Mapping[str, Array]
) -> Array:
    """Log of L_S, from log R of the student's law; ``teacher_loss`` and ``student_loss`` are logs of L_T and L̃_S."""
    teacher, alone = beside["teacher_loss"], beside["student_loss"]
    soft = theta["gap_softness"]
    turned = xp.logaddexp(0.0 * teacher, (teacher - alone - xp.log(theta["gap_at"])) / soft)
    gap = -theta["teacher_power"] * teacher - theta["gap_power"] * soft * turned
    return xp.logaddexp(teacher, log_r + gap)
