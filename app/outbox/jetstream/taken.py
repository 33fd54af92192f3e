"""A message that the server has handed to this process, and what may be answered."""

import json
from dataclasses import dataclass, replace
from typing import Final

from nats.aio.msg import Msg

from app.outbox.jetstream.record import Record
from app.types import Delivery, State

ACK: Final = b"+ACK"
IN_PROGRESS: Final = b"+WPI"


def nak(delay_s: float) -> bytes:
    """Write that a message is to be handed out again, after a pause."""
    return b"-NAK " + json.dumps({"delay": int(delay_s * 1e9)}).encode() if delay_s > 0 else b"-NAK"


@dataclass(slots=True, kw_only=True, eq=False)
class Taken:
    """A message that the server has handed to this process."""

    message: Msg
    record: Record
    #: When the server last heard of it, by the clock of the event loop.
    heard_at: float
    #: Of the claim: "", 0, 0.0 while it waits at hand for a batch.
    claim: str = ""
    attempt: int = 0
    until: float = 0.0

    @property
    def delivery(self) -> Delivery:
        """The delivery as people see it now."""
        if not self.claim:
            return self.record.delivery
        return replace(self.record.delivery, state=State.CLAIMED, due_at=self.until, attempts=self.attempt)
