"""Build Pinrelay's own directives of exact decimal arithmetic for the value of an order.

The directives are `@sum`, `@subtract`, `@multiply`, `@atMost` and `@money`. A result is plain text such as "19.98",
with the currency of an operand. If an operand is missing or is not a number, the result is MISSING, because an
incomplete value would be wrong. The first operand of `@multiply` is the amount, the others are counts.
"""

import decimal
from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from functools import partial
from typing import Any, Final, TypeAlias

from app.core.values.amounts import (
    COUNT,
    CURRENCY_NAMES,
    NO_CONTEXT,
    Computed,
    Context,
    currency_text,
    is_plain_text,
    read_amount,
)
from app.core.values.candidates import PassedOver
from app.mapping.compiler import Compiler, is_directive, json_kind
from app.mapping.nodes import MISSING, TOLD, About, Call, If, List, ListPath, Node, is_number, note_passed_over

_Combine: TypeAlias = Callable[[list[Decimal]], Decimal]

#: Results are exact to this number of digits; longer operands do not count as numbers.
_EXACT: Final = decimal.Context(prec=60)
_MAX_OPERAND_DIGITS: Final = 25
#: Smaller integers, and larger floats than the other bound, need no check of their digits.
_SMALL: Final = 10**9
_FLOATS_FROM: Final = 1e-4
#: The product of more operands can exceed the exact digits.
_FEW: Final = 4


def build_sum(compiler: Compiler, value: Any, at: str) -> Node:
    """Build `@sum`: the sum of a list of values, or of a list from a directive."""
    return _build(compiler, value, at, _sum)


def build_subtract(compiler: Compiler, value: Any, at: str) -> Node:
    """Build `@subtract`: the first value of a list, minus all others."""
    return _build(compiler, value, at, _subtract)


def build_multiply(compiler: Compiler, value: Any, at: str) -> Node:
    """Build `@multiply`: the product of a list."""
    return _build(compiler, value, at, _multiply)


def build_at_most(compiler: Compiler, value: Any, at: str) -> Node:
    """Build `@atMost`: the smaller of an amount and its limit; the amount if the limit is not a number."""
    if not isinstance(value, list) or len(value) != len(("amount", "limit")):
        return compiler.fault(at, f"should be a list of an amount and its limit but it is {json_kind(value)}")
    number = compiler.context.operand(is_number, "it is no number")
    amount, limit = (compiler.compile(each, f"{at}/{index}", number) for index, each in enumerate(value))
    about = (number.about(amount), number.about(limit))
    function = partial(_of_operands, _smallest, about)
    smaller = Call(function=function, operands=(TOLD, amount, limit), needs="all", computes=True)
    return If(value=limit, test=is_number, then=smaller, otherwise=amount)


def _build(compiler: Compiler, value: Any, at: str, combine: _Combine) -> Node:
    number = compiler.context.operand(is_number, "it is no number")
    if isinstance(value, list) and value:
        node = compiler.compile(value, at, number)
        operands = node.items if isinstance(node, List) else (node,)
        about = tuple(map(number.about, operands))
        function = partial(_of_operands, combine, about)
        return Call(function=function, operands=(TOLD, *operands), needs="all", computes=True)
    if is_directive(value):
        node = compiler.compile(value, at, number)
        function = partial(_of_list, combine, number.about(node))
        return Call(function=function, operands=(TOLD, node), needs="all", computes=True)
    return compiler.fault(at, f"should be a list of values or a directive that gives one but it is {json_kind(value)}")


def _of_operands(combine: _Combine, about: Sequence[About], told: list[PassedOver], *values: Any) -> Any:
    if values[0] is MISSING:  # the case of most events
        return MISSING
    result = _of_plain(combine, values) or _with_reason(combine, values)
    return result if result is not None else _nothing(zip(about, values, strict=True), told)


def _of_list(combine: _Combine, about: About, told: list[PassedOver], values: Any) -> Any:
    if not isinstance(values, list):
        return _nothing([(about, values)], told)
    result = (_of_plain(combine, values) or _with_reason(combine, values)) if values else None
    return result if result is not None else _nothing(((about, value) for value in values), told)


def _nothing(operands: Iterable[tuple[About, Any]], told: list[PassedOver]) -> Any:
    """Return MISSING, and report the operands that are not numbers; if all are numbers, report the last.

    Numbers have no result if their currencies differ or they are too long to be exact.
    """
    last: tuple[About, Any] | None = None
    all_numbers = True
    for about, value in operands:
        if value is MISSING:
            return MISSING
        if not is_number(value):
            note_passed_over(told, about, value)
            all_numbers = False
        last = about, value
    if last is not None and all_numbers:
        (field, place, _), value = last
        note_passed_over(told, (field, place, "it cannot be put together with the others"), value)
    return MISSING


def combined(combine: _Combine, values: Sequence[Any]) -> Computed | None:
    """Return the result; `None` if a value is not a number, or the currencies differ."""
    return _of_plain(combine, values) or _with_reason(combine, values)


def _with_reason(combine: _Combine, values: Sequence[Any]) -> Computed | None:
    """Return the result of values that are not all plain, with the reason of an operand; `None` as in `combined`."""
    result = _in_context(combine, values, NO_CONTEXT)
    if result and (reason := next((each.reason for each in values if type(each) is Computed and each.reason), None)):
        result.is_plain, result.reason = False, reason
    return result


def _of_plain(combine: _Combine, values: Sequence[Any]) -> Computed | None:
    """Return the result of plain numbers, the most frequent operands; `None` for other operands."""
    cents = [each for value in values if (each := _cents(value)) is not None]
    if len(cents) == len(values) and (result := _OF_CENTS.get(combine, _nothing_of)(cents)) is not None and result >= 0:
        whole, rest = divmod(result, 100)
        return Computed(f"{whole}.{rest:02}".rstrip("0") if rest else str(whole))
    numbers = [number for value in values if (number := _plain(value)) is not None]
    return Computed(plain_text(combine(numbers))) if len(numbers) == len(values) else None


def _cents(value: Any) -> int | None:
    """Return a plain non-negative amount in hundredths; `None` if it has more decimals or is not such an amount."""
    kind = type(value)
    if kind is int:
        return value * 100 if 0 <= value < _SMALL else None
    if (kind is Computed and value.is_plain and value[0] != "-") or is_plain_text(value):
        value = float(value)
    elif kind is not float or value < _FLOATS_FROM:
        return None
    cents = round(value * 100) if value < _SMALL else 0
    return cents if cents / 100 == value else None


def _product(cents: list[int]) -> int | None:
    """Return a product in hundredths; `None` if it has more decimals or too many digits to be exact."""
    product = cents[0]
    for factor in cents[1:_FEW]:
        product, rest = divmod(product * factor, 100)
        if rest:
            return None
    return product if len(cents) <= _FEW else None


def _in_context(combine: _Combine, values: Sequence[Any], context: Context) -> Computed | None:
    """Return the result; `None` if an operand is not a number, or the currencies differ.

    If an operand depends on the context (`150.000` is 150000 in some currencies), the result does too.
    """
    numbers: list[Decimal] = []
    names: set[str | None] = set()
    depends = dressed = False
    for value in values:
        number, currency = _plain(value), None
        if number is None:
            if value is MISSING:
                return None
            is_factor = combine is _multiply and numbers
            operand = read_amount(value, COUNT if is_factor else context)
            number = None if operand is None else bounded(operand.number)
            if operand is None or number is None:
                return None
            depends |= operand.depends
            dressed |= operand.dressed
            currency = operand.currency
        if currency or number:  # zero is the same in every currency
            names.add(currency)
        numbers.append(number)
    # In a sum or a comparison, a number without a currency has the currency of the event.
    is_mixed = combine in (_sum, _smallest) and len(names) > 1 and None in names
    named = list(filter(None, names | {context.currency} if is_mixed else names))
    if len(named) > 1:
        return None
    result = Computed(plain_text(combine(numbers)))
    result.is_plain = not (named or dressed or depends or is_mixed)
    if named:
        result.currency = named[0]
    if dressed:
        result.dressed = True
    if depends or is_mixed:
        result.in_context = partial(_in_context, combine, values)
    return result


def _plain(value: Any) -> Decimal | None:
    """Return a plain number of JSON, of arithmetic or of a text, the most frequent operands; otherwise `None`."""
    kind = type(value)
    if kind is float:
        return Decimal(repr(value)) if _FLOATS_FROM <= value < _SMALL else bounded(repr(value))
    if kind is int:
        return Decimal(value) if -_SMALL < value < _SMALL else None
    if kind is Computed:  # without an exponent, so its length is the number of digits
        return Decimal(value) if len(value) <= _MAX_OPERAND_DIGITS and value.is_plain else None
    return Decimal(value) if is_plain_text(value) else None


def _sum(numbers: list[Decimal]) -> Decimal:
    total = Decimal(0)
    for number in numbers:
        total = _EXACT.add(total, number)
    return total


def _subtract(numbers: list[Decimal]) -> Decimal:
    return _EXACT.subtract(numbers[0], _sum(numbers[1:]))


def _multiply(numbers: list[Decimal]) -> Decimal:
    product = numbers[0]
    for number in numbers[1:]:
        product = _EXACT.multiply(product, number)
    return product


def _smallest(numbers: list[Decimal]) -> Decimal:
    return min(numbers)


def _nothing_of(_: list[int]) -> None:
    """Stand in for an operation whose result may have more than two decimals."""


#: The same operations on hundredths, which are twice as fast.
_OF_CENTS: Final[Mapping[_Combine, Callable[[list[int]], int | None]]] = {
    _sum: sum,
    _subtract: lambda numbers: numbers[0] - sum(numbers[1:]),
    _multiply: _product,
    _smallest: min,
}


def bounded(text: str) -> Decimal | None:
    """Return a number that is short enough to be exact; `None` for all others."""
    if len(text) > _MAX_OPERAND_DIGITS:
        return None
    number = Decimal(text)
    return number if number.is_finite() and abs(number.adjusted()) < _MAX_OPERAND_DIGITS else None


def plain_text(number: Decimal) -> str:
    """Return a number without exponent and trailing zeros.

    >>> plain_text(Decimal("19.980")), plain_text(Decimal("2E+1"))
    ('19.98', '20')
    """
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def build_money(compiler: Compiler, value: Any, at: str) -> Node:
    """Build `@money`: an amount; with its currency, as an object of money, if the object around it has a currency."""
    if not is_directive(value):
        return compiler.fault(at, f"should be a directive that gives an amount but it is {json_kind(value)}")
    amount = compiler.compile(value, at)
    dressed = Call(function=_money, operands=(amount, _BESIDE), needs="all")
    return If(value=_BESIDE, test=None, then=dressed, otherwise=amount)


def _currency_beside(item: Any) -> Any:
    """Return the currency of the amounts in an object, or another text of its currency members; otherwise MISSING."""
    text = currency_text(map(item.get, CURRENCY_NAMES)) if type(item) is dict else None
    return MISSING if text is None else text


_BESIDE = ListPath(text="currency", find=_currency_beside, under=tuple((name,) for name in CURRENCY_NAMES))


def _money(amount: Any, currency: str) -> Any:
    read = read_amount(amount)
    if read is None or read.currency:
        return amount
    if type(amount) is not dict:
        return {"amount": amount, "currency": currency}
    return amount | {"currency": currency} if "amount" in amount else amount
