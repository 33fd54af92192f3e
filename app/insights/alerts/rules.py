"""What the operator decides about alerts."""

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

from app.core.events import EventKey, Exit
from app.core.values.times import HOUR_S
from app.pipeline.received_names import title_of


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
        return self._address("inventory/name", key._asdict())

    def list_link(self, key: EventKey, exit_: Exit, hour_at: int) -> str:
        """Return likewise the address of the list of its events that left by an exit in an hour, if there is one."""
        if exit_ is Exit.UNMATCHED:
            return self.link(key)
        filters = {"name": title_of(key), "source": key.source, "exit": exit_.value}
        return self._address("deliveries", {**filters, "since": hour_at, "until": hour_at + HOUR_S})

    def _address(self, page: str, query: Mapping[str, str | int]) -> str:
        return f" {self.public_url}/console/{page}?{urlencode(query)}" if self.public_url else ""
