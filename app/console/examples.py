"""Example events as of now: Pinterest refuses events older than seven days, so a fixed time would soon be wrong."""

from app.console.labels import iso
from app.core.events import Event

#: The event happened a minute ago.
AGE_S = 60


def fresh(event: Event, now: float) -> Event:
    """Return the event with its `timestamp` a minute ago, put in where it has none; the rest stays."""
    return {**event, "timestamp": iso(now - AGE_S)}
