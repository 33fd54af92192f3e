"""Which deliveries and which notes a Query means, as conditions of a statement."""

from typing import Any, Final

from app.core.deliveries import State
from app.core.events import Exit
from app.core.pages import Query
from app.outbox.paging import END, SENT, as_kept, asks_attempts, cursor_id, noted_exits
from app.outbox.reviving import REPLAYED
from app.outbox.rows import as_json
from app.outbox.sqlite.id_filter import looked_for

_ON_A_SHELF = "SELECT d.id FROM shelf CROSS JOIN delivery AS d WHERE d.shelf = n AND"
_BY_MESSAGE = f"{_ON_A_SHELF} d.message_id = :message_id"
#: The index over event ids leaves out those that are message ids too.
_BY_EVENT = f"{_ON_A_SHELF} d.event_id = :event_id AND d.event_id <> d.message_id"
_BY_BOTH = f"{_ON_A_SHELF} d.message_id = :event_id AND d.event_id = d.message_id"
_BY_ORDER = f"{_ON_A_SHELF} d.order_id = :order_id AND d.order_id IS NOT NULL"
_NOTE_ON_A_SHELF = "SELECT noted.id FROM shelf CROSS JOIN note AS noted WHERE noted.shelf = n AND"
#: As sums of revenue count notes, but for what no preset takes.
_IS_ORDER = "(exit <> 'unmatched' AND (event_name IS 'checkout' OR order_id IS NOT NULL))"
_PERSON = """SELECT 1 FROM payload JOIN json_each(:person) ON instr(body, CAST(value AS BLOB)) > 0
WHERE delivery_id = delivery.id"""
_TRIED = """AND EXISTS (SELECT 1 FROM attempt WHERE delivery_id = delivery.id AND at >= :since AND at < :until
AND (:tried IS NULL OR exit = :tried) AND (:status IS NULL OR status = :status))"""
_WARNING = """SELECT 1 FROM json_each(warnings) AS told
WHERE told.type = 'text' AND instr(lower(told.value), lower(:warning)) > 0"""
#: A reason without what was added when its delivery was not redriven, as `dead_causes` counts it.
CAUSE: Final = f"substr(reason, 1, instr(reason || '; {REPLAYED}', '; {REPLAYED}') - 1)"
_BOUNDS: Final = {"since": ">=", "until": "<"}

#: Field of Query -> its condition. Only texts of these tables become SQL; what is looked for is a parameter.
_OF_BOTH: Final = {
    "ad_account_id": "AND ad_account_id = :ad_account_id",
    "preset": "AND preset = :preset",
    "event_name": "AND event_name = :event_name",
    "name": "AND name = :name",
    "source": "AND source = :source",
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
    "cause": f"AND {CAUSE} = :cause",
}
_WAITING: Final = {"state": "AND state IN ('pending', 'claimed')"}
_OF_NOTES: Final = _OF_BOTH | {
    "message_id": f"AND id IN ({_NOTE_ON_A_SHELF} noted.message_id = :message_id)",
    "order_id": f"AND id IN ({_NOTE_ON_A_SHELF} noted.order_id = :order_id AND noted.order_id IS NOT NULL)",
    "is_order": f"AND {_IS_ORDER} = :is_order",
}


def conditions(sql: str, query: Query) -> tuple[str, dict[str, Any]]:
    """Fill the conditions of `query` for deliveries into `sql`, and return it with its parameters."""
    query = as_kept(query)
    known = _OF_DELIVERIES | _WAITING if query.state == "waiting" else _OF_DELIVERIES
    texts = [known[name] for name in query.given if name in known]
    if asks_attempts(query):
        texts.append(_TRIED)
    else:
        texts += [f"AND enqueued_at {sign} :{name}" for name, sign in _BOUNDS.items() if name in query.given]
    if query.state is State.DEAD:
        texts.append("AND state = 'dead'")  # the planner takes the index of the dead for this very text only
    return sql.replace("/* conditions */", " ".join(texts)), _parameters(query) | looked_for(query)


def note_conditions(sql: str, query: Query) -> tuple[str, dict[str, Any]]:
    """Fill the conditions of `query` for notes into `sql`, and return it with its parameters."""
    query = as_kept(query)
    texts = [_OF_NOTES[name] for name in query.given if name in _OF_NOTES]
    texts += [f"AND at {sign} :{name}" for name, sign in _BOUNDS.items() if name in query.given]
    texts.append("AND exit IN (SELECT value FROM json_each(:exits))")
    if query.exit is Exit.MATCHED:
        texts.append("AND preset IS NOT NULL")
    parameters = _parameters(query) | {"exits": as_json(sorted(noted_exits(query)))}
    return sql.replace("/* conditions */", " ".join(texts)), parameters


def _parameters(query: Query) -> dict[str, Any]:
    tried = query.exit if query.exit in SENT else None
    unless_given = {"since": 0, "until": END, "status": None}
    others = {"tried": tried, "person": as_json(query.person or ()), "delivery_id": cursor_id(query.delivery_id)}
    return unless_given | query.given | others
