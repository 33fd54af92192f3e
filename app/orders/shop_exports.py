"""Which columns of a shop's export say what: Shopify's and WooCommerce's are known by their columns.

The amount is the one that the default mapping sends: revenue before tax and shipping where the export has it.

Shopify: https://help.shopify.com/en/manual/fulfillment/managing-orders/exporting-orders
Its REST API: https://shopify.dev/docs/api/admin-rest/latest/resources/order
WooCommerce's REST API: https://woocommerce.github.io/woocommerce-rest-api-docs/#order-properties
"""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Final

from app.errors import WarehouseError

_CODE: Final = re.compile("[A-Z]{3}")


@dataclass(frozen=True, slots=True, kw_only=True)
class ShopColumns:
    """The columns that are read; nothing else of a file is."""

    #: Each may be the id by which the order was sent.
    order_ids: tuple[str, ...]
    #: The first, less the others.
    amounts: tuple[str, ...]
    #: None where `currency_code` holds for all, or none is known.
    currency: str | None = None
    currency_code: str | None = None
    #: None: then nothing is told by day, and all that the ledger holds is compared.
    time: str | None = None
    #: What says that an order came to nothing: words, or a time of cancelling.
    states: tuple[str, ...] = ()
    #: The first id is a name that may have words around the order's number, by which it was sent: `PG1001` is 1001.
    has_numbers_in_names: bool = False
    #: Of what kind the export is, for people.
    kind: str = "columns as named"

    @property
    def names(self) -> list[str | None]:
        """All of them, in the order in which `read_orders` takes their texts; None stands for one that there is not."""
        return [*self.order_ids, *self.amounts, self.currency, self.time, *self.states]


_EXPORTS: Final = (
    ShopColumns(
        kind="Shopify's export",
        order_ids=("Name", "Id"),
        has_numbers_in_names=True,
        amounts=("Subtotal",),
        currency="Currency",
        time="Created at",
        states=("Financial Status", "Cancelled at"),
    ),
    ShopColumns(
        kind="Shopify's REST API",
        order_ids=("name", "order_number", "id"),
        has_numbers_in_names=True,
        amounts=("subtotal_price",),
        currency="currency",
        time="created_at",
        states=("financial_status", "cancelled_at", "test"),
    ),
    ShopColumns(
        kind="WooCommerce's REST API",
        order_ids=("number", "id"),
        amounts=("total", "total_tax", "shipping_total"),
        currency="currency",
        time="date_created_gmt",
        states=("status",),
    ),
    ShopColumns(
        kind="WooCommerce's export of Analytics > Orders",
        order_ids=("Order #",),
        amounts=("N. Revenue",),
        time="Date",
        states=("Status",),
    ),
)


def columns_of_shop(
    columns: Sequence[str],
    *,
    order_id: str | None = None,
    total: str | None = None,
    currency: str | None = None,
    time: str | None = None,
) -> ShopColumns:
    """Return which columns are read: those that are named, and the rest as the export is known to have it.

    `currency` may also be an ISO 4217 code, of all orders. Raises WarehouseError where a column is missing, or the file
    is no known export and id and total are not both named.
    """
    known = next((each for each in _EXPORTS if _is_of(each, columns)), None)
    if known is None and (order_id is None or total is None):
        raise WarehouseError(
            "it is no export of Shopify's or WooCommerce's that is known: name the columns of the order id "
            "(--order-id) and of the amount (--total), and those of the currency (--currency) and of the time (--time) "
            f"where there are such; there are: {', '.join(columns)}"
        )
    found = known or ShopColumns(order_ids=(), amounts=())
    is_code = currency is not None and currency not in columns and _CODE.fullmatch(currency) is not None
    found = replace(
        found,
        order_ids=found.order_ids if order_id is None else (order_id,),
        has_numbers_in_names=found.has_numbers_in_names and order_id is None,
        amounts=found.amounts if total is None else (total,),
        currency=None if is_code else currency or found.currency,
        currency_code=currency if is_code else None,
        time=time or found.time,
    )
    named = (*found.order_ids[:1], *found.amounts, *filter(None, (currency if not is_code else None, time)))
    found = replace(
        found,
        order_ids=tuple(name for name in found.order_ids if name in columns) or found.order_ids,
        states=tuple(name for name in found.states if name in columns),
    )
    if missing := [name for name in named if name not in columns]:
        raise WarehouseError(f'there is no column "{missing[0]}"; there are: {", ".join(columns)}')
    return found


def _is_of(export: ShopColumns, columns: Collection[str]) -> bool:
    return all(name in columns for name in (export.order_ids[0], *export.amounts, *export.states[:1]))
