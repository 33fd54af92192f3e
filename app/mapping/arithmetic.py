"""Our own `@sum`, `@subtract` and `@multiply`: exact decimal arithmetic for the value of an order.

A result is plain text such as "19.98". Where an operand is missing or no number there is no result: a value that
leaves something out would be a wrong value.
"""

from collections.abc import Callable
from decimal import Context, Decimal
from functools import partial
from typing import Any, Final

from app.mapping.compiler import Compiler, is_directive, kind
from app.mapping.nodes import MISSING, Call, List, Node
from app.values.amounts import plain_number

#: Digits that results are exact to; operands of more are no numbers to us.
_EXACT: Final = Context(prec=60)
_MAX_OPERAND_DIGITS: Final = 25
#: Integers below are taken without a look at their digits.
_SMALL: Final = 10**9


def build_sum(compiler: Compiler, value: Any, at: str) -> Node:
    """Build `@sum`: of a list of values, or of the list that a directive gives."""
    return _build(compiler, value, at, _sum)


def build_subtract(compiler: Compiler, value: Any, at: str) -> Node:
    """Build `@subtract`: the first of a list, less all others."""
    return _build(compiler, value, at, _subtract)


def build_multiply(compiler: Compiler, value: Any, at: str) -> Node:
    """Build `@multiply`: the product of a list."""
    return _build(compiler, value, at, _multiply)


def _build(compiler: Compiler, value: Any, at: str, combine: Callable[[list[Decimal]], Decimal]) -> Node:
    if isinstance(value, list) and value:
        node = compiler.compile(value, at)
        operands = node.items if isinstance(node, List) else (node,)
        return Call(function=partial(_of_operands, combine), operands=operands)
    if is_directive(value):
        return Call(function=partial(_of_list, combine), operands=(compiler.compile(value, at),))
    return compiler.fault(at, f"should be a list of values or a directive that gives one but it is {kind(value)}")


def _of_operands(combine: Callable[[list[Decimal]], Decimal], *values: Any) -> Any:
    return _combined(combine, list(values))


def _of_list(combine: Callable[[list[Decimal]], Decimal], values: Any) -> Any:
    return _combined(combine, values) if isinstance(values, list) and values else MISSING


def _combined(combine: Callable[[list[Decimal]], Decimal], values: list[Any]) -> Any:
    numbers = []
    for value in values:
        number = number_of(value)
        if number is None:
            return MISSING
        numbers.append(number)
    return plain_text(combine(numbers))


def _sum(numbers: list[Decimal]) -> Decimal:
    total = Decimal(0)
    for number in numbers:
        total = _EXACT.add(total, number)
    return total


def _subtract(numbers: list[Decimal]) -> Decimal:
    return _EXACT.subtract(numbers[0], _sum(numbers[1:]))


def _multiply(numbers: list[Decimal]) -> Decimal:
    product = Decimal(1)
    for number in numbers:
        product = _EXACT.multiply(product, number)
    return product


def number_of(value: Any) -> Decimal | None:
    """Read a number, or a text that can only be read as one (see `app.values.amounts`); None for all else.

    >>> number_of(19.98), number_of("€1,299.00"), number_of("1,299")
    (Decimal('19.98'), Decimal('1299.00'), None)
    """
    if type(value) is int and -_SMALL < value < _SMALL:
        return Decimal(value)
    if type(value) is int or type(value) is float:
        return _bounded(repr(value))
    text = plain_number(value)[0] if isinstance(value, str) else None
    return None if text is None or len(text) > _MAX_OPERAND_DIGITS else _bounded(text)


def _bounded(text: str) -> Decimal | None:
    """Take a number for one whose digits are few enough to be exact."""
    number = Decimal(text)
    return number if number.is_finite() and abs(number.adjusted()) < _MAX_OPERAND_DIGITS else None


def plain_text(number: Decimal) -> str:
    """Write a number without exponent and without zeros at the end.

    >>> plain_text(Decimal("19.980")), plain_text(Decimal("2E+1"))
    ('19.98', '20')
    """
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
