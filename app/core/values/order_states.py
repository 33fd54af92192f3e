"""What a shop's state of an order says: some say that it is no purchase.

Shopify's `financial_status`: https://shopify.dev/docs/api/admin-rest/latest/resources/order
WooCommerce's `status`: https://woocommerce.com/document/managing-orders/order-statuses/
"""

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

#: States of orders that are no sales, in lower case and without marks, with the word for each.
_CAME_TO_NOTHING: Final[Mapping[str, str]] = MappingProxyType(
    dict.fromkeys(("cancelled", "canceled"), "cancelled")
    | {"refunded": "refunded"}
    | dict.fromkeys(("voided", "void"), "voided")
    | dict.fromkeys(("failed", "payment failed", "failure"), "failed")
    | dict.fromkeys(("pending", "pending payment", "payment pending", "awaiting payment"), "pending payment")
)
#: WooCommerce's database writes `wc-cancelled`.
_MARKS: Final = re.compile(r"^wc-|[-_\s]+")


def no_purchase_word(state: str) -> str | None:
    """Return what a state says of an order that is no purchase; None where it does not say that.

    >>> no_purchase_word("wc-pending"), no_purchase_word("Voided"), no_purchase_word("paid")
    ('pending payment', 'voided', None)
    """
    return _CAME_TO_NOTHING.get(_MARKS.sub(" ", state).strip().lower())
