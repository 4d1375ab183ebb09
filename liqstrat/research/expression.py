"""Conditions on figures as people write them: `trades >= 30 and max_drawdown > -0.25`.

Python's grammar reads them, nothing is executed: only comparisons, `in`, `and`, `or`, `not`, names, numbers and texts
are taken. What is undefined is neither true nor false, as in SQL; `sharpe == none` asks for it.
"""

import ast
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from operator import eq, ge, gt, le, lt, ne
from typing import Any

from liqstrat.errors import LiqstratError, did_you_mean
from liqstrat.inputs import parse_time

_LONGEST = 1000
_WORDS = {"none": None, "None": None, "null": None, "true": True, "True": True, "false": False, "False": False}
_ORDERS: dict[type[ast.cmpop], Callable[[Any, Any], bool]] = {
    ast.Lt: lt,
    ast.LtE: le,
    ast.Gt: gt,
    ast.GtE: ge,
    ast.Eq: eq,
    ast.NotEq: ne,
}
#: Falls are kept as positive shares; many write them below zero, where a positive share says nothing.
_FALLS = frozenset({"max_drawdown"})

Row = Mapping[str, Any]
_Part = Callable[[Row], Any]


@dataclass(frozen=True)
class Condition:
    """A condition that was read: `holds` says whether a row of figures meets it. names: the columns it looks at."""

    text: str
    names: tuple[str, ...]
    _test: _Part

    def holds(self, row: Row) -> bool:
        """Whether it is true of `row`; an undefined value makes a comparison neither true nor false."""
        return self._test(row) is True


def read_condition(text: str, known: Iterable[str]) -> Condition:
    """Read a condition on columns of `known`; raises `LiqstratError` that says what is wrong with it and where."""
    if len(text) > _LONGEST:
        raise LiqstratError(f"the condition is longer than {_LONGEST:,} letters")
    try:
        tree = ast.parse(text.strip(), mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        at = f" at letter {error.offset}" if isinstance(error, SyntaxError) and error.offset else ""
        raise LiqstratError(
            f'"{text}" is not a condition{at}; expected one like trades >= 30 and max_drawdown > -0.25'
        ) from None
    reader = _Reader(text, tuple(known))
    test = reader.read(tree.body)
    return Condition(text, tuple(reader.names), test)


class _Reader:
    """Turns the tree of a condition into functions of a row."""

    def __init__(self, text: str, known: tuple[str, ...]) -> None:
        self._text, self._known = text, known
        self.names: dict[str, None] = {}

    def read(self, node: ast.expr) -> _Part:
        if isinstance(node, ast.BoolOp):
            parts = [self.read(one) for one in node.values]
            return _all(parts) if isinstance(node.op, ast.And) else _any(parts)
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
            return _not(self.read(node.operand))
        if isinstance(node, ast.Compare):
            sides = [node.left, *node.comparators]
            return _all([self._pair(a, op, b) for a, op, b in zip(sides[:-1], node.ops, sides[1:], strict=True)])
        if isinstance(node, ast.Name) and node.id not in _WORDS:
            value = self._value(node)
            return lambda row: None if value(row) is None else bool(value(row))
        raise self._wrong(node)

    def _pair(self, left: ast.expr, op: ast.cmpop, right: ast.expr) -> _Part:
        a, b = self._value(left), self._value(right)
        if isinstance(op, ast.In | ast.NotIn):
            inside = _contains(a, b, self._text)
            return inside if isinstance(op, ast.In) else _not(inside)
        order = _ORDERS.get(type(op))
        if order is None:
            raise LiqstratError(f'"{self._text}": expected a comparison with <, <=, >, >=, ==, != or in')
        if _is_none(left) or _is_none(right):
            if not isinstance(op, ast.Eq | ast.NotEq):
                raise LiqstratError(f'"{self._text}": none has no order, expected == none or != none')
            return lambda row: order(a(row), b(row))
        a, b = self._as_fall(left, right, a), self._as_fall(right, left, b)
        return _compare(order, a, b, self._text)

    def _as_fall(self, node: ast.expr, other: ast.expr, value: _Part) -> _Part:
        """A fall that is held against a number below zero is one below zero, too."""
        number = _number(other)
        if not (isinstance(node, ast.Name) and node.id in _FALLS and number is not None and number < 0):
            return value
        return lambda row: None if value(row) is None else -value(row)

    def _value(self, node: ast.expr) -> _Part:
        number = _number(node)
        if number is not None:
            return lambda row: number
        if isinstance(node, ast.Constant) and (node.value is None or isinstance(node.value, str | bool)):
            constant = node.value
            return lambda row: constant
        if isinstance(node, ast.Name):
            name = node.id
            if name in _WORDS:
                return lambda row: _WORDS[name]
            if name not in self._known:
                raise LiqstratError(
                    f'"{self._text}": there is no figure "{name}"{did_you_mean(name, self._known)}; '
                    f"expected of {', '.join(self._known)}"
                )
            self.names[name] = None
            return lambda row: row.get(name)
        raise self._wrong(node)

    def _wrong(self, node: ast.expr) -> LiqstratError:
        part = ast.get_source_segment(self._text.strip(), node) or self._text
        return LiqstratError(
            f'"{self._text}": "{part}" is not taken here; '
            "expected comparisons of figures with numbers or texts, joined by and, or, not"
        )


def _number(node: ast.expr) -> float | None:
    """The number that stands there, with its sign."""
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub | ast.UAdd):
        inner = _number(node.operand)
        return None if inner is None else -inner if isinstance(node.op, ast.USub) else inner
    if isinstance(node, ast.Constant) and type(node.value) in (int, float):
        return node.value  # type: ignore[return-value]
    return None


def _is_none(node: ast.expr) -> bool:
    return (isinstance(node, ast.Constant) and node.value is None) or (
        isinstance(node, ast.Name) and node.id in _WORDS and _WORDS[node.id] is None
    )


def _all(parts: list[_Part]) -> _Part:
    def test(row: Row) -> bool | None:
        found = [part(row) for part in parts]
        return False if False in found else None if None in found else True

    return test


def _any(parts: list[_Part]) -> _Part:
    def test(row: Row) -> bool | None:
        found = [part(row) for part in parts]
        return True if True in found else None if None in found else False

    return test


def _not(part: _Part) -> _Part:
    def test(row: Row) -> bool | None:
        found = part(row)
        return None if found is None else not found

    return test


def _compare(order: Callable[[Any, Any], bool], a: _Part, b: _Part, text: str) -> _Part:
    def test(row: Row) -> bool | None:
        left, right = a(row), b(row)
        if left is None or right is None:
            return None
        if isinstance(left, datetime) or isinstance(right, datetime):
            left, right = _moment(left, text), _moment(right, text)
        if isinstance(left, str) != isinstance(right, str) or isinstance(left, list) or isinstance(right, list):
            raise LiqstratError(f'"{text}": {left!r} cannot be compared with {right!r}')
        return order(left, right)

    return test


def _contains(a: _Part, b: _Part, text: str) -> _Part:
    def test(row: Row) -> bool | None:
        part, whole = a(row), b(row)
        if part is None or whole is None:
            return None
        if not isinstance(part, str) or not isinstance(whole, str | list):
            raise LiqstratError(f'"{text}": expected a text before in, and a text or a list after it')
        return part in whole

    return test


def _moment(value: Any, text: str) -> datetime:
    try:
        return parse_time(value)
    except ValueError as error:
        raise LiqstratError(f'"{text}": {error}') from None
