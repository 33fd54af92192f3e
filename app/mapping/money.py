"""Our own `@money`: an amount with the currency that stands beside it."""

from typing import Any

from app.core.values.amounts import CURRENCY_NAMES, currency_text, read_amount
from app.mapping.compiler import Compiler, is_directive, json_kind
from app.mapping.nodes import MISSING, Call, If, ListPath, Node


def build_money(compiler: Compiler, value: Any, at: str) -> Node:
    """Build `@money`: an amount; with its currency, as an object of money, where the object it stands in names one."""
    if not is_directive(value):
        return compiler.fault(at, f"should be a directive that gives an amount but it is {json_kind(value)}")
    amount = compiler.compile(value, at)
    dressed = Call(function=_money, operands=(amount, _BESIDE), needs="all")
    return If(value=_BESIDE, test=None, then=dressed, otherwise=amount)


def _currency_beside(item: Any) -> Any:
    """Return the currency that the amounts of an object are in, or what else it says in its place; MISSING: neither."""
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
