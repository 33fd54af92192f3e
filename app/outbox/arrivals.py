"""Claim deliveries while they are stored: a full batch goes to its sender at arrival.

A later claim would write each row a second time and read the row again.
"""

import asyncio
import secrets
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Final, TypeAlias

from app.core.deliveries import Claimed, NewDelivery
from app.outbox.enqueue import Placement, Rows

_AD_ACCOUNT_ID: Final = attrgetter("ad_account_id")


@dataclass(frozen=True, slots=True, kw_only=True)
class ArrivalTerms:
    """The terms of a sender for the claim of a call that is about to be stored."""

    #: The maximum number of deliveries, and of their bytes.
    limit: int
    max_bytes: int
    #: The duration of the claim in seconds.
    lease_s: float
    #: The disabled presets, without a claim of their deliveries.
    without_presets: frozenset[str]
    #: Set to the claimed deliveries after the commit; an empty list if none were claimed.
    claimed: asyncio.Future[list[Claimed]]


#: Returns the terms for a call with this number of deliveries of its ad account; `None`: they wait for `Outbox.claim`.
Claimer: TypeAlias = Callable[[int], ArrivalTerms | None]


@dataclass(slots=True, kw_only=True)
class ArrivalClaim:
    """The claim of a call for an ad account."""

    ad_account_id: str
    terms: ArrivalTerms
    token: str
    now: float
    #: The positions of the deliveries in the call, in order.
    places: list[int] = field(default_factory=list)
    size_bytes: int = 0

    def place(self, rows: Rows) -> None:
        """Mark due deliveries as claimed, as many as fit.

        Events that Pinterest does not de-duplicate are left to `Outbox.claim`: after a crash of the sender they could
        not be sent again.
        """
        terms = self.terms
        claimed: dict[Placement, Placement] = {}
        for place, delivery in enumerate(rows.deliveries):
            placed = rows.placed[place]
            if (
                delivery.ad_account_id != self.ad_account_id
                or delivery.action_source == "offline"
                or delivery.preset in terms.without_presets
                or placed.hold_until is not None
                or placed.follows is not None
            ):
                continue
            size_bytes = self.size_bytes + len(delivery.payload)
            if len(self.places) == terms.limit or size_bytes > terms.max_bytes:
                return
            if placed not in claimed:
                claimed[placed] = placed._replace(due_at=self.now + terms.lease_s, claim=self.token)
            rows.placed[place] = claimed[placed]
            self.places.append(place)
            self.size_bytes = size_bytes

    def hand_over(self, deliveries: Sequence[NewDelivery], first_id: int | None) -> None:
        """Pass the claimed deliveries to the sender.

        `first_id` is the id of the first delivery; without an id, the list is empty.
        """
        claimed: list[Claimed] = []
        if first_id is not None:
            claimed = [self._claimed(deliveries[place], first_id + place) for place in self.places]
        if not self.terms.claimed.done():  # the sender may have ended
            self.terms.claimed.set_result(claimed)

    def _claimed(self, delivery: NewDelivery, delivery_id: int) -> Claimed:
        return Claimed(
            delivery_id=str(delivery_id),
            claim=self.token,
            ad_account_id=delivery.ad_account_id,
            preset=delivery.preset,
            message_id=delivery.message_id,
            event_name=delivery.event_name,
            event_id=delivery.event_id,
            action_source=delivery.action_source,
            payload=delivery.payload,
            attempt=1,
            enqueued_at=self.now,
            traceparent=delivery.traceparent,
            lease_was_lost=False,
        )


def claim_arrivals(rows: Rows, claimers: Mapping[str, Claimer], *, now: float) -> list[ArrivalClaim]:
    """Mark the claims of senders in the rows of a call, and return the claims; `claimers` are by ad account."""
    claims = []
    for ad_account_id, count in Counter(map(_AD_ACCOUNT_ID, rows.deliveries)).items():
        claimer = claimers.get(ad_account_id)
        if claimer and (terms := claimer(count)):
            claim = ArrivalClaim(ad_account_id=ad_account_id, terms=terms, token=secrets.token_hex(8), now=now)
            claim.place(rows)
            claims.append(claim)
    return claims
