"""Pinrelay's own `@withoutTax` and `@netAmount`: the value of goods from amounts that include tax or shipping.

Both results differ from the sender's amount, so each has a reason, and the reader of the field adds a warning.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from decimal import Decimal
from functools import partial
from typing import Any, Final, NamedTuple

from app.core.values.amounts import Computed, read_amount
from app.mapping.arithmetic import combined, plain_text
from app.mapping.compiler import Compiler, json_kind
from app.mapping.nodes import EVENT, MISSING, NOTHING, Call, Constant, Node, Path, is_number
from app.mapping.paths import path_node, without_prefix

_TAX_OPTIONS: Final = ("amount", "tax", "shipping")
_NUMBERS: Final = ("amount", "tax", "shipping", "total", "discount")
_NET_OPTIONS: Final = (*_NUMBERS, "goods", "as_sent")
_GOODS_OPTIONS: Final = ("list", "price", "quantity", "after_discount")
_HALF_A_CENT: Final = 0.005
_CENT: Final = 0.01
#: Results are rounded to this number of decimals, more than any currency has.
_DECIMALS: Final = 6


def build_without_tax(compiler: Compiler, value: Any, at: str) -> Node:
    """Build `@withoutTax`: an amount without its tax, if `tax` is the tax of the amount and of `shipping` together.

    The tax of the shipping alone is unknown, so the common rate is assumed.
    """
    options = compiler.options(value, at, _TAX_OPTIONS)
    if options is None or not all(compiler.required(options, at, key) for key in _TAX_OPTIONS):
        return NOTHING
    number = compiler.context.operand(is_number, "it is no number")
    amount, tax, shipping = (compiler.compile(options[key], f"{at}/{key}", number) for key in _TAX_OPTIONS)
    return Call(function=_without_tax, operands=(amount, tax, shipping), needs="all", computes=True)


def _without_tax(amount: Any, tax: Any, shipping: Any) -> Any:
    result = combined(_untaxed, (amount, tax, shipping))
    if result is None:
        return MISSING
    stated, taxes, carriage = (Decimal(read.number) for each in (amount, tax, shipping) if (read := read_amount(each)))
    if taxes and carriage and not result.reason:
        result.is_plain = False
        result.reason = f"{plain_text(stated)} includes tax, as do {plain_text(carriage)} of shipping by assumption"
    return result


def _untaxed(numbers: list[Decimal]) -> Decimal:
    """Return an amount without its share of a tax that covers the amount and the shipping.

    >>> _untaxed([Decimal("49.90"), Decimal("8.76"), Decimal("4.95")])
    Decimal('41.930556')
    >>> _untaxed([Decimal("119"), Decimal("19"), Decimal(0)])
    Decimal('100')
    """
    amount, tax, shipping = numbers
    if not shipping or not amount + shipping:
        return amount - tax
    return round(amount - tax * amount / (amount + shipping), _DECIMALS)


class _Goods(NamedTuple):
    """The place of a list of products, and the members with price and quantity."""

    keys: tuple[str, ...]
    price: Sequence[str]
    quantity: Sequence[str]
    after_discount: bool


def build_net_amount(compiler: Compiler, value: Any, at: str) -> Node:
    """Build `@netAmount`: the goods alone, if `amount` includes tax or shipping, as proven by the sum of `goods`.

    There is no result if `amount` is the value of the goods, or includes other costs. If `amount` is 0 and `total` is
    positive, the result is the total without tax and shipping.
    """
    options = compiler.options(value, at, _NET_OPTIONS)
    if options is None or not all(compiler.required(options, at, key) for key in _NET_OPTIONS):
        return NOTHING
    number = replace(compiler.context.operand(is_number), is_silent=True)
    amount, tax, shipping, total, discount = (compiler.compile(options[key], f"{at}/{key}", number) for key in _NUMBERS)
    or_zero = [number.choice((each, Constant(value=0))) for each in (tax, shipping, total, discount)]
    # An empty text does not count as "as_sent".
    as_sent = compiler.compile({"@coalesce": [options["as_sent"], ""]}, f"{at}/as_sent", compiler.context.operand())
    goods = options["goods"]
    if not isinstance(goods, list):
        return compiler.fault(f"{at}/goods", f"should be a list of objects but it is {json_kind(goods)}")
    lists = tuple(_goods(compiler, each, f"{at}/goods/{index}") for index, each in enumerate(goods))
    operands = (amount, number.choice((tax, shipping, total)), *or_zero, as_sent, EVENT)
    return Call(function=partial(_net_amount, lists), operands=operands, needs="all", computes=True)


def _goods(compiler: Compiler, value: Any, at: str) -> _Goods:
    options = compiler.options(value, at, _GOODS_OPTIONS)
    if options is None or not all(compiler.required(options, at, key) for key in _GOODS_OPTIONS[:3]):
        return _Goods((), (), (), after_discount=False)
    for key in ("price", "quantity"):
        names = options[key]
        if not isinstance(names, list) or not names or not all(isinstance(each, str) for each in names):
            compiler.fault(f"{at}/{key}", "should be a list of names of members, such as [price]")
    path = path_node(compiler, without_prefix(str(options["list"])), f"{at}/list")
    keys = path.keys if isinstance(path, Path) else ()
    return _Goods(keys, options["price"], options["quantity"], options.get("after_discount", False))


def _net_amount(lists: Sequence[_Goods], amount: Any, _: Any, *given: Any) -> Any:
    """Return the value of the goods alone, with the reason; MISSING if the amount must be sent unchanged."""
    *others, as_sent, event = given
    stated, taxes, carriage, whole, discount = map(_number, (amount, *others))
    if stated is None or taxes is None or carriage is None or whole is None or discount is None:
        return MISSING
    extras = taxes + carriage
    if not stated and whole - extras > 0 < whole:
        return _result(whole - extras, f"0 beside a total of {_text(whole)}", amount)
    # The sender's total proves that the amount does not include shipping.
    is_net = stated < whole and (_equal(stated + extras, whole) or _equal(stated + carriage, whole))
    if not stated or is_net or as_sent == "as_sent" or extras <= 0:
        return MISSING
    for goods in _sums(lists, discount, event):
        net = _net_goods(stated, goods, taxes, carriage, is_tax_extra=_equal(stated + taxes, whole))
        if net is not None:
            return _result(net, f"{_text(stated)} includes tax or shipping", amount)
    return MISSING


def _net_goods(stated: float, goods: float, taxes: float, carriage: float, *, is_tax_extra: bool) -> float | None:
    """Return the value of `goods` without tax; `None` if `stated` differs from it by more than tax or shipping.

    Amounts are compared to the cent. `is_tax_extra`: a total proves that the tax is neither in `stated` nor in the
    prices.

    >>> round(_net_goods(113.89, 99.9, 8, 5.99, is_tax_extra=False), 2)
    99.9
    >>> round(_net_goods(54.85, 49.9, 8.76, 4.95, is_tax_extra=False), 2)
    41.93
    >>> round(_net_goods(54.85, 49.9, 8.76, 4.16, is_tax_extra=False), 2)
    41.93
    """
    rest = stated - goods
    if rest <= _HALF_A_CENT:
        return None
    net = stated - taxes - carriage
    if _equal(goods, net):
        return net
    if _equal(rest, carriage):
        return goods if is_tax_extra else goods - taxes * goods / stated
    # The prices include tax, and the value includes shipping with tax, but the price of shipping does not.
    return net if taxes and abs(net - goods * (stated - taxes) / stated) < _CENT else None


def _equal(one: float, other: float) -> bool:
    """Return whether two amounts are equal to the cent."""
    return abs(one - other) < _HALF_A_CENT


def _sums(lists: Sequence[_Goods], discount: float, event: Any) -> Iterator[float]:
    """Yield the possible values of the goods in each list, without the discount of the order and with it."""
    for goods in lists:
        found = event
        for key in goods.keys:
            found = found.get(key) if type(found) is dict else None
        if type(found) is list and found:
            try:  # nearly every list; a text cannot be added to a number
                worth = sum([(0.0 + item[goods.price[0]]) * item[goods.quantity[0]] for item in found])
            except (KeyError, TypeError):  # an item without a price makes the sum NaN, which never equals a number
                worth = sum(_first(item, goods.price, math.nan) * _first(item, goods.quantity, 1) for item in found)
            yield worth - discount
            if discount and goods.after_discount:
                yield worth


def _first(item: Any, names: Sequence[str], default: float) -> float:
    """Return the first number of an item under any of these names; otherwise `default`."""
    if type(item) is dict:
        for name in names:
            if name in item and (number := _number(item[name])) is not None:
                return number
    return default


def _number(value: Any) -> float | None:
    """Return the number of an amount; `None` if there is none, or if it depends on the currency of the event."""
    if type(value) is float or type(value) is int:
        return value
    read = None if value is MISSING else read_amount(value)
    return None if read is None or read.depends else float(read.number)


def _text(number: float) -> str:
    return plain_text(Decimal(repr(number)))


def _result(number: float, reason: str, amount: Any) -> Computed:
    """Return a computed amount in the currency of the stated amount, if any."""
    result = Computed(_text(round(number, _DECIMALS)))
    result.is_plain, result.reason = False, reason
    read = read_amount(amount)
    result.currency = read.currency if read else None
    return result
