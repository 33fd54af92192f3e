"""Trust: data from a public key never removes, blocks, replaces or reveals data from a secret.

An event is trusted if its author is authenticated by a secret that no page contains, and public otherwise. The
receiving endpoint decides it (`Intake.is_trusted`), and the store saves it with each key, fact, link, suppression and
delay.
"""

from typing import Final, NamedTuple

#: Prefix of the reason for withholding a public order above the configured amount.
TOO_DEAR: Final = "MAX_PUBLIC_ORDER_VALUE:"


class SourceTraits(NamedTuple):
    """Facts about a source that are the same for all its events."""

    #: The author of its events is authenticated by a secret.
    is_trusted: bool = True
    #: The shop of its orders; "" if the file of the source has none.
    shop: str = ""
    #: Pages contain its key, so its events come from pages and Pinterest's tag may report the same events.
    has_page_key: bool = False
    #: Its orders wait for the matching page order.
    waits_for_page: bool = True


def may_change(*, by_trusted: bool, of_trusted: bool) -> bool:
    """Return whether the data of an event may remove, block, replace, renew or reveal the data of another event.

    All code that combines two events calls this function; tests/test_trust.py lists the places.

    >>> may_change(by_trusted=False, of_trusted=True)
    False
    >>> may_change(by_trusted=False, of_trusted=False)
    True
    """
    return by_trusted or not of_trusted


#: A page event that arrives earlier than this before the creation of the order is not from the buyer's browser.
_EARLY_S: Final = 60


def is_early(arrived_at: float | None, created_at: float | None) -> bool:
    """Return whether a page event arrived before the shop created the order; `False` if a time is unknown.

    >>> is_early(939, 1000), is_early(940, 1000), is_early(939, None)
    (True, False, False)
    """
    return arrived_at is not None and created_at is not None and arrived_at < created_at - _EARLY_S


def public_share(bound: int, *, trusted: int) -> int:
    """Return the capacity for public entries of a bounded table in which trusted entries occupy `trusted`.

    Public entries get at most half of the table, and at most the free rest. Without trusted entries the whole table is
    available.

    >>> public_share(100, trusted=0), public_share(100, trusted=1), public_share(100, trusted=80)
    (100, 50, 20)
    """
    return bound if trusted == 0 else max(0, min(bound // 2, bound - trusted))


def kept_for_trusted(bound: int) -> int:
    """Return the capacity of a bounded queue that is reserved for trusted events.

    The capacity is a tenth, because a queue evicts no events.

    >>> kept_for_trusted(100)
    10
    """
    return bound // 10
