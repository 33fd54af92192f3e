"""Which deliveries a Query means, as SQL."""

from dataclasses import fields
from typing import Any, Final

from app.types import Query, State

#: The index over event ids leaves out those that are message ids too.
_ON_A_SHELF = "SELECT d.id FROM shelf CROSS JOIN delivery AS d WHERE d.shelf = n AND"
_BY_MESSAGE = f"{_ON_A_SHELF} d.message_id = :message_id"
_BY_EVENT = f"{_ON_A_SHELF} d.event_id = :event_id AND d.event_id <> d.message_id"
_BY_BOTH = f"{_ON_A_SHELF} d.message_id = :event_id AND d.event_id = d.message_id"

#: Field of Query -> its condition. Only texts of this table become SQL; what is looked for is a parameter.
_CONDITIONS: Final = {
    "delivery_id": "AND id = :delivery_id",
    "message_id": f"AND id IN ({_BY_MESSAGE})",
    "event_id": f"AND id IN ({_BY_EVENT} UNION ALL {_BY_BOTH})",
    "preset": "AND preset = :preset",
    "state": "AND state = :state",
    "reason": "AND instr(lower(reason), lower(:reason)) > 0",
}


def conditions(sql: str, query: Query) -> tuple[str, dict[str, Any]]:
    """Fill the conditions of `query` into `sql`, and answer it with its parameters."""
    asked = {each.name: getattr(query, each.name) for each in fields(query)}
    asked = {name: value for name, value in asked.items() if value is not None}
    texts = [_CONDITIONS[name] for name in asked]
    if query.state is State.DEAD:
        texts.append("AND state = 'dead'")  # the planner takes the index of the dead for this very text only
    return sql.replace("/* conditions */", " ".join(texts)), asked


def narrow(query: Query) -> bool:
    """Tell whether an index leads to the deliveries that `query` means."""
    return query.state is State.DEAD or any((query.delivery_id, query.message_id, query.event_id))
