"""Incidents: the conditions of the alerts with begin and end, in the outbox for all processes."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from decimal import Decimal
from hashlib import sha256
from typing import Final

from app.core.shared_values import INCIDENTS, OPEN_INCIDENTS, Incident, SharedValues
from app.core.values.times import DAY_S
from app.insights.alerts.by_name import CHANGED
from app.insights.alerts.overall import Alert

#: Kinds of incidents by which no event is sent or received.
CRITICAL: Final = frozenset({"outbox", "full", "blocked", "refusing", "failing", "backlog", "silence"})
#: An end that the receiver of alerts does not accept is sent again for so long.
_TOLD_WITHIN_S: Final = 7 * DAY_S


def begin(alert: Alert, now: float) -> Incident:
    """Return a new incident. Its id is the same for the same condition and begin."""
    since = now if alert.since is None else min(alert.since, now)
    kind = alert.kind or alert.key.partition(":")[0]
    return Incident(
        id=sha256(f"{alert.key} {since}".encode()).hexdigest()[:16],
        key=alert.key,
        kind=kind,
        severity="critical" if kind in CRITICAL else "warning",
        text=alert.text,
        ad_account_id=alert.ad_account_id,
        source=alert.source,
        since=since,
        events=alert.events,
        money={currency: str(amount) for currency, amount in alert.money.items()},
    )


def follow(before: Mapping[str, Incident], holding: Iterable[Alert], now: float) -> dict[str, Incident]:
    """Return the incidents by id after a look: begun, continued with their largest figures, or ended now.

    Incidents that were over stay until their end is delivered, for at most a week.
    """
    alerts = {each.key: each for each in holding}
    is_open = {each.key for each in before.values() if each.until is None}
    found: dict[str, Incident] = {}
    for name, each in before.items():
        if each.until is not None:
            if now - each.until < _TOLD_WITHIN_S:
                found[name] = each
        elif alert := alerts.get(each.key):
            found[name] = _grown(each, alert)
        else:
            found[name] = replace(each, until=now)
    begun = [begin(alert, now) for key, alert in alerts.items() if key not in is_open]
    return found | {each.id: each for each in begun}


def _grown(incident: Incident, alert: Alert) -> Incident:
    events = [each for each in (incident.events, alert.events) if each is not None]
    money = {
        currency: str(max(alert.money.get(currency, Decimal(0)), Decimal(incident.money.get(currency, 0))))
        for currency in {**incident.money, **alert.money}
    }
    return replace(incident, events=max(events, default=None), money=money)


def needs_telling(incident: Incident) -> bool:
    """Return whether the receiver of alerts lacks the state. A change of a name has no end to send."""
    is_silent_end = incident.kind == CHANGED and incident.until is not None
    return incident.told != incident.state and not is_silent_end


async def read_incidents(shared: SharedValues, *, since: float, now: float) -> list[Incident]:
    """Return the incidents that are open or ended since, the newest first. Raises OutboxUnavailable."""
    found = {**await INCIDENTS.read_all(shared), **(await OPEN_INCIDENTS.read(shared) or {})}
    lasting = [each for each in found.values() if (each.until or now) >= since]
    return sorted(lasting, key=lambda each: (-each.since, each.id))
