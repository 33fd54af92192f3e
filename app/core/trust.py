"""Trust: what came by a public key never removes, blocks, replaces or uncovers what came by a secret.

An event is trusted if its author is known by a secret that no page shows, and public otherwise. The door decides it
once (`Intake.is_trusted`), and the store keeps it with each key, fact, link, suppression and hold.
"""

from typing import Final, NamedTuple

#: How the reason begins by which a public order is withheld that is dearer than the setting allows.
TOO_DEAR: Final = "PUBLIC_ORDER_MAX:"


class SourceTraits(NamedTuple):
    """What is known of a source, whatever it sends."""

    #: Who makes its events is known by a secret.
    is_trusted: bool = True
    #: The shop whose orders it sends; "" where its file names none.
    shop: str = ""
    #: Pages show its key, so its events are those of pages: Pinterest's tag may report the same ones.
    has_page_key: bool = False
    #: Its orders wait for the same order from the page.
    waits_for_page: bool = True


def may_change(*, by_trusted: bool, of_trusted: bool) -> bool:
    """Return whether the data of one event may remove, block, replace, renew or reveal the data of another event.

    Every place where two events meet asks this function; tests/test_trust.py lists the places.

    >>> may_change(by_trusted=False, of_trusted=True)
    False
    >>> may_change(by_trusted=False, of_trusted=False)
    True
    """
    return by_trusted or not of_trusted


#: A page event that arrives longer before the creation of the order than this is no report of the buyer's browser.
_EARLY_S: Final = 60


def is_early(arrived_at: float | None, created_at: float | None) -> bool:
    """Return whether a page event arrived before the shop created the order; `False` if a time is unknown.

    >>> is_early(939, 1000), is_early(940, 1000), is_early(939, None)
    (True, False, False)
    """
    return arrived_at is not None and created_at is not None and arrived_at < created_at - _EARLY_S


def public_share(bound: int, *, trusted: int) -> int:
    """Return how much of a bounded table public entries may fill, of which trusted ones fill `trusted`.

    At most half, and no more than is left. Where nothing is trusted, nothing is kept free for it.

    >>> public_share(100, trusted=0), public_share(100, trusted=1), public_share(100, trusted=80)
    (100, 50, 20)
    """
    return bound if trusted == 0 else max(0, min(bound // 2, bound - trusted))


def kept_for_trusted(bound: int) -> int:
    """Return how much of a bounded queue public events leave free: a tenth, since a queue evicts nothing.

    >>> kept_for_trusted(100)
    10
    """
    return bound // 10
