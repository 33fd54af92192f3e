"""What the operator decides about alerts."""

from dataclasses import dataclass
from urllib.parse import urlencode

from app.types import EventKey


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertRules:
    """Thresholds of what is told of one kind of event, and where the console is."""

    #: Volume falls below this part of what is usual, or rises above so many times that.
    fall: float = 0.5
    surge: float = 3
    #: The part of events that leave by an exit, or lack something, is so much above the usual one.
    share: float = 0.2
    #: Less events than this in an hour are too few to judge.
    least_events: int = 20
    #: Where people reach Pinrelay, without a slash at the end; "" leaves links out.
    public_url: str = ""

    def link(self, key: EventKey) -> str:
        """Return the address of a kind of event in the console behind a space; "" where it is not known."""
        return f" {self.public_url}/console/inventory/name?{urlencode(key._asdict())}" if self.public_url else ""
