"""Kernels in an Einsum with the examples."""

from __future__ import annotations

import dataclasses
import math

import tensorflow as tf

from tfx_privacy.signals.white_box.contribution import Contribution, Rule, Site, explicit
from tfx_privacy.signals.white_box.dense import Factors
from tfx_privacy.signals.white_box.uses import Use


@dataclasses.dataclass(frozen=True)
class _Equation:
    """Labels of an Einsum's activations, kernel and result; the first is the examples'."""

    rows: str
    kernel: str
    result: str

    @property
    def contracted(self) -> str:
        """The kernel's labels that the result lacks."""
        return "".join(label for label in self.kernel if label not in self.result)

    @property
    def new(self) -> str:
        """The kernel's labels that the activations lack."""
        return "".join(label for label in self.kernel if label not in self.rows)

    @property
    def positions(self) -> str:
        """Labels along which one kernel is used again."""
        return "".join(label for label in self.rows[1:] if label not in self.kernel)

    def is_plain(self) -> bool:
        """Whether each label but the examples' and the positions' is the kernel's, once."""
        parts = (self.rows, self.kernel, self.result)
        return (
            all(part.isalpha() and len(set(part)) == len(part) for part in parts)
            and self.rows[0] == self.result[0]
            and self.rows[0] not in self.kernel
            and set(self.positions) <= set(self.result)
            and set(self.result[1:]) <= set(self.rows) | set(self.kernel)
            and set(self.kernel) <= set(self.rows) | set(self.result)
        )


def einsum_rule(use: Use, batch: int) -> Rule | None:
    """The rule for a kernel in an Einsum of two, such as "abc,cde->abde"."""
    operation = use.operation
    if operation.type != "Einsum" or len(operation.inputs) != 2:
        return None
    operands, _, result = operation.get_attr("equation").decode().partition("->")
    parts = operands.split(",")
    equation = _Equation(parts[1 - use.index], parts[use.index], result)
    rows = operation.inputs[1 - use.index].shape
    if not equation.is_plain() or rows.rank is None or rows[0] != batch:
        return None
    kernel_shape = tuple(operation.inputs[use.index].shape.as_list())
    sizes = dict(zip(equation.kernel, kernel_shape, strict=True))

    def contribution(site: Site) -> Contribution:
        activations = tf.cast(site.inputs[1 - use.index], tf.float32)
        gradient = tf.cast(site.gradient, tf.float32)
        if equation.kernel in (
            equation.contracted + equation.new,
            equation.new + equation.contracted,
        ):
            left = _positions_first(activations, equation.rows, equation, equation.contracted)
            right = _positions_first(gradient, equation.result, equation, equation.new)
            inner = math.prod(sizes[label] for label in equation.contracted)
            outer = math.prod(sizes[label] for label in equation.new)
            both = Factors(
                tf.reshape(left, [batch, -1, inner]), tf.reshape(right, [batch, -1, outer])
            )
            return both if equation.kernel.startswith(equation.contracted) else both.swapped()
        formula = f"{equation.rows},{equation.result}->{equation.rows[0]}{equation.kernel}"
        return explicit(tf.einsum(formula, activations, gradient), use.shape)

    return contribution


def _positions_first(values: tf.Tensor, labels: str, equation: _Equation, last: str) -> tf.Tensor:
    return tf.einsum(f"{labels}->{equation.rows[0]}{equation.positions}{last}", values)
