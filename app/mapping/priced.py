"""Our own `@money`: an amount with the currency that stands beside it."""

from typing import Any

from app.mapping.compiler import Compiler, is_directive, json_kind
from app.mapping.nodes import MISSING, Call, If, ListPath, Node
from app.values.amounts import CURRENCY_NAMES, read_amount
from app.values.currencies import currencies_named


def build_money(compiler: Compiler, value: Any, at: str) -> Node:
    """Build `@money`: an amount; with its currency, as an object of money, where the object it stands in names one."""
    if not is_directive(value):
        return compiler.fault(at, f"should be a directive that gives an amount but it is {json_kind(value)}")
    amount = compiler.compile(value, at)
    return If(value=_BESIDE, test=None, then=Call(function=_money, operands=(amount, _BESIDE)), otherwise=amount)


def _currency_beside(item: Any) -> Any:
    """Return the first text that says which currency the amounts of an object are in."""
    if type(item) is dict:
        for name in CURRENCY_NAMES:
            if name in item and type(item[name]) is str and item[name]:
                return item[name]
    return MISSING


_BESIDE = ListPath(text="currency", find=_currency_beside)


def _money(amount: Any, currency: str) -> Any:
    read = read_amount(amount)
    if read is None or read.currency or currencies_named(currency) == ():
        return amount
    if type(amount) is not dict:
        return {"amount": amount, "currency": currency}
    return amount | {"currency": currency} if "amount" in amount else amount
