"""The filters of a query as conditions of SQL, and the filter to find ids."""

from typing import Any, Final
from zlib import crc32

from app.core.deliveries import State
from app.core.events import Outcome
from app.core.pages import Query
from app.outbox import search
from app.outbox.redrive import REPLAYED
from app.outbox.rows import as_json

BUCKETS: Final = 512
FINGERPRINT_BYTES: Final = 3


def place_of(text: str) -> tuple[int, bytes]:
    digest = crc32(text.encode())
    return digest % BUCKETS, (digest >> 8).to_bytes(FINGERPRINT_BYTES)


def looked_for(query: Query) -> dict[str, Any]:
    """Return the parameters that tell a statement which shelves contain the ids of a query.

    One of several ids is enough, because a delivery must match all of them.
    """
    text = next((each for each in (query.message_id, query.event_id, query.order_id) if each is not None), None)
    bucket, fingerprint = (None, None) if text is None else place_of(text)
    return {"bucket": bucket, "fingerprint": fingerprint}


_ON_A_SHELF = "SELECT d.id FROM shelf CROSS JOIN delivery AS d WHERE d.shelf = n AND"
_BY_MESSAGE = f"{_ON_A_SHELF} d.message_id = :message_id"
#: The index over event ids omits those that are message ids too.
_BY_EVENT = f"{_ON_A_SHELF} d.event_id = :event_id AND d.event_id <> d.message_id"
_BY_BOTH = f"{_ON_A_SHELF} d.message_id = :event_id AND d.event_id = d.message_id"
_BY_ORDER = f"{_ON_A_SHELF} d.order_id = :order_id AND d.order_id IS NOT NULL"
_DROPPED_ON_A_SHELF = "SELECT noted.id FROM shelf CROSS JOIN dropped_event AS noted WHERE noted.shelf = n AND"
#: The dropped events that sums of revenue count, except those that match no preset.
_IS_ORDER = "(exit <> 'unmatched' AND coalesce(event_name = 'checkout', order_id IS NOT NULL))"
_PERSON = """SELECT 1 FROM payload JOIN json_each(:person) ON instr(body, CAST(value AS BLOB)) > 0
WHERE delivery_id = delivery.id"""
#: The last attempt of a delivered delivery is stored only if it has more data, see tried.sql.
_TRIED = """AND (EXISTS (
  SELECT 1 FROM attempt WHERE delivery_id = delivery.id AND at >= :since AND at < :until
  AND (:tried IS NULL OR exit = :tried) AND (:status IS NULL OR status = :status)
) OR (
  state = 'delivered' AND settled_at >= :since AND settled_at < :until
  AND coalesce(:tried, 'delivered') = 'delivered' AND coalesce(:status, 200) = 200
  AND NOT EXISTS (SELECT 1 FROM attempt WHERE delivery_id = delivery.id AND exit = 'delivered')
))"""
_WARNING = """SELECT 1 FROM json_each(warnings) AS told
WHERE told.type = 'text' AND instr(lower(told.value), lower(:warning)) > 0"""
#: A reason without the later additions about its redrive, as `dead_causes` counts it.
_CAUSE: Final = f"substr(reason, 1, instr(reason || '; {REPLAYED}', '; {REPLAYED}') - 1)"
_BOUNDS: Final = {"since": ">=", "until": "<"}

#: Field of Query -> its condition. Only texts of these tables become SQL; the values of a search are parameters.
_OF_BOTH: Final = {
    "ad_account_id": "AND ad_account_id = :ad_account_id",
    "preset": "AND preset = :preset",
    "event_name": "AND event_name = :event_name",
    "name": "AND name = :name",
    "source": "AND source = :source",
    "channel": "AND channel = :channel",
    "currency": "AND coalesce(currency, '') = :currency",
    "taken": "AND (preset IS NOT NULL) = :taken",
    "reason": "AND instr(lower(reason), lower(:reason)) > 0",
    "warning": f"AND EXISTS ({_WARNING})",
}
_OF_DELIVERIES: Final = _OF_BOTH | {
    "delivery_id": "AND id = :delivery_id",
    "message_id": f"AND id IN ({_BY_MESSAGE})",
    "event_id": f"AND id IN ({_BY_EVENT} UNION ALL {_BY_BOTH})",
    "order_id": f"AND id IN ({_BY_ORDER})",
    "is_order": "AND (event_name = 'checkout') = :is_order",
    "state": "AND state = :state",
    "person": f"AND EXISTS ({_PERSON})",
    "cause": f"AND {_CAUSE} = :cause",
    "happened_since": "AND event_time >= :happened_since",
}
_WAITING: Final = {"state": "AND state IN ('pending', 'claimed')"}
_OF_DROPPED: Final = _OF_BOTH | {
    "message_id": f"AND id IN ({_DROPPED_ON_A_SHELF} noted.message_id = :message_id)",
    "order_id": f"AND id IN ({_DROPPED_ON_A_SHELF} noted.order_id = :order_id AND noted.order_id IS NOT NULL)",
    "is_order": f"AND {_IS_ORDER} = :is_order",
}


def filtered(name: str, sql: str, query: Query) -> tuple[str, dict[str, Any]]:
    """Return the text and the parameters of the named statement for the filters of a query."""
    query = search.as_kept(query)
    return _dropped_events(sql, query) if name == "search_dropped" else _deliveries(sql, query)


def _deliveries(sql: str, query: Query) -> tuple[str, dict[str, Any]]:
    known = _OF_DELIVERIES | _WAITING if query.state == "waiting" else _OF_DELIVERIES
    texts = [known[name] for name in query.given if name in known]
    if search.asks_attempts(query):
        texts.append(_TRIED)
    else:
        texts += [f"AND enqueued_at {sign} :{name}" for name, sign in _BOUNDS.items() if name in query.given]
    if query.state is State.DEAD:
        texts.append("AND state = 'dead'")  # the planner uses the index of the dead for this exact text only
    return sql.replace("/* conditions */", " ".join(texts)), _parameters(query) | looked_for(query)


def _dropped_events(sql: str, query: Query) -> tuple[str, dict[str, Any]]:
    texts = [_OF_DROPPED[name] for name in query.given if name in _OF_DROPPED]
    texts += [f"AND at {sign} :{name}" for name, sign in _BOUNDS.items() if name in query.given]
    texts.append("AND iif(was_enqueued, 'withdrawn', exit) IN (SELECT value FROM json_each(:outcomes))")
    if query.outcome is Outcome.MATCHED:
        texts.append("AND preset IS NOT NULL")
    parameters = _parameters(query) | {"outcomes": as_json(sorted(search.dropped_outcomes(query)))}
    return sql.replace("/* conditions */", " ".join(texts)), parameters


def _parameters(query: Query) -> dict[str, Any]:
    tried = query.outcome if query.outcome in search.SENT else None
    unless_given = {"since": 0, "until": search.END, "status": None}
    others = {"tried": tried, "person": as_json(query.person or ()), "delivery_id": search.cursor_id(query.delivery_id)}
    return unless_given | query.given | others
