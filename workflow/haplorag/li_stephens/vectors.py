"""Sixteen float32 as one value in kernels of numba: a vector of AVX-512, or two of AVX2.

Left to itself the compiler adds up by vectors where it finds it safe and worth it. With these each
of the sixteen goes its own way, in the order that is written down, so that the last bits are the
same on any processor.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types
from numba.core.typing.templates import AbstractTemplate, infer_global, signature
from numba.extending import intrinsic, lower_builtin, models, register_model

LANES = 16
# Who calls one of these gives all but the first parameter, which type checkers cannot know.
_emit: Any = intrinsic
_WORDS = ir.VectorType(ir.FloatType(), LANES)
_INDEX = ir.IntType(32)
_OPERATIONS = {
    operator.add: "fadd",
    operator.sub: "fsub",
    operator.mul: "fmul",
    operator.truediv: "fdiv",
}


class Vector(types.Type):
    """What numba takes sixteen float32 for."""

    def __init__(self) -> None:
        super().__init__(name=f"Vector({LANES} x float32)")


VECTOR = Vector()


@register_model(Vector)
class _VectorModel(models.PrimitiveModel):
    def __init__(self, manager: Any, kind: Any) -> None:
        super().__init__(manager, kind, _WORDS)


@_emit
def load(_context, array, row):
    """A row of a C-contiguous array float32 [n, 16]."""

    def generate(context, builder, signature, values):
        pointer = _point_at(context, builder, signature.args, values)
        found = builder.load(pointer)
        found.align = 4
        return found

    return VECTOR(array, row), generate


@_emit
def store(_context, array, row, value):
    """Write a row of a C-contiguous array float32 [n, 16]."""

    def generate(context, builder, signature, values):
        pointer = _point_at(context, builder, signature.args, values)
        builder.store(values[2], pointer, align=4)
        return context.get_dummy_value()

    return types.none(array, row, value), generate


@_emit
def stream(_context, array, row, value):
    """As `store`, past the cache."""

    def generate(context, builder, signature, values):
        pointer = _point_at(context, builder, signature.args, values)
        put = builder.store(values[2], pointer, align=64)
        put.set_metadata("nontemporal", builder.module.add_metadata([ir.IntType(32)(1)]))
        return context.get_dummy_value()

    return types.none(array, row, value), generate


@_emit
def spread(_context, number):
    """A float32 sixteen times."""

    def generate(context, builder, signature, values):
        first = builder.insert_element(_WORDS(ir.Undefined), values[0], _INDEX(0))
        return builder.shuffle_vector(first, first, ir.VectorType(_INDEX, LANES)([0] * LANES))

    return VECTOR(types.float32), generate


@_emit
def take(_context, value, lane):
    """One of the sixteen."""

    def generate(context, builder, signature, values):
        number = context.cast(builder, values[1], signature.args[1], types.int32)
        return builder.extract_element(values[0], number)

    return types.float32(value, lane), generate


def _point_at(context: Any, builder: Any, kinds: Any, values: Any) -> Any:
    """Pointer to a row of an array; the row is not looked for from the end."""
    array = context.make_array(kinds[0])(context, builder, values[0])
    row = context.cast(builder, values[1], kinds[1], types.intp)
    first = builder.mul(row, ir.IntType(64)(LANES))
    return builder.bitcast(builder.gep(array.data, [first]), _WORDS.as_pointer())


def _lower(name: str) -> Callable:
    def generate(context, builder, signature, values):
        return getattr(builder, name)(*values)

    return generate


for _operation, _name in _OPERATIONS.items():

    @infer_global(_operation)
    class _Operation(AbstractTemplate):
        def generic(self, kinds, _):
            return signature(VECTOR, *kinds) if kinds == (VECTOR, VECTOR) else None

    lower_builtin(_operation, Vector, Vector)(_lower(_name))
