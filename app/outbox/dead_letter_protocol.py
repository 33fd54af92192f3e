"""What people do with dead letters, whichever engine does it."""

from typing import Protocol

from app.core.pages import DeadCause, Query, Redrive


class DeadLetters(Protocol):
    """Deliveries that are dead. Every method may raise OutboxUnavailable."""

    async def redrive(self, query: Query, *, now: float) -> Redrive:
        """Make matching dead deliveries pending again, attempts from 0, history kept; return what was done. Idempotent.

        `enqueued_at` begins again too, and with it the age that ends retries. Keys of de-duplication are taken again;
        where a replay holds one, the delivery stays dead and its reason says so, or is dismissed where the replay was
        delivered.
        """

    async def dismiss(self, query: Query, *, because: str) -> int:
        """Put matching dead deliveries away, for good: their payloads are erased. Returns how many. Idempotent.

        `because` joins their reasons: who did it, and why. What is dead of an event that is delivered as another
        delivery is dismissed by `settle`.
        """

    async def causes(self, *, limit: int) -> list[DeadCause]:
        """Return why deliveries are dead, by reason, ad account and preset, the most frequent first.

        Of very many dead ones the newest 100,000 are looked at.
        """
