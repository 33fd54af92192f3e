"""What the ledger shows: the rows of searches."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

from app.core.events import Outcome
from app.core.pages import Backlog, Query
from app.outbox import ledger, search
from app.outbox.postgres.connections import Connection
from app.outbox.postgres.database import UsesDatabase
from app.outbox.refusals import backlog_of
from app.outbox.statements import reads


def asked(query: Query) -> dict[str, Any]:
    query = search.as_kept(query)
    parameters = {each.name: getattr(query, each.name) for each in fields(query)}
    if query.delivery_id is not None:
        parameters["delivery_id"] = search.cursor_id(query.delivery_id)
    return parameters | {
        "person": None if query.person is None else list(query.person),
        "tried": query.outcome if query.outcome in search.SENT else None,
        "matched": query.outcome is Outcome.MATCHED,
        "outcomes": sorted(search.dropped_outcomes(query)),
        "since": query.since or 0.0,
        "until": math.inf if query.until is None else query.until,
    }


class Ledger(UsesDatabase, ledger.Ledger):
    """The part of the `Outbox` that people look at."""

    @reads
    async def backlog(self, store: Connection, ad_account_id: str, *, now: float) -> Backlog:  # noqa: ARG002 - this engine counts states
        rows = await store.rows("backlog", ad_account_id=ad_account_id)
        counts = {state: count for state, count, _, _ in rows}
        size_bytes = sum(size for _, _, size, _ in rows)
        return backlog_of(counts, size_bytes, rows[0][3] if rows else None, self._rules)

    async def _found(
        self, store: Connection, query: Query, ids: search.PageIds, limit: int | None
    ) -> Sequence[Sequence[Any]]:
        return await _rows(store, "search_by_id" if search.names_id(query) else "search", query, ids, limit)

    async def _found_dropped(
        self, store: Connection, query: Query, ids: search.PageIds, limit: int | None
    ) -> Sequence[Sequence[Any]]:
        return await _rows(store, "search_dropped", query, ids, limit)

    async def _kept(self, store: Connection, ids: Sequence[int]) -> Mapping[int, ledger.Kept]:
        rows = await store.rows("whole", ids=list(ids))
        return {id_: (history or (), payload) for id_, history, payload in rows}


async def _rows(
    store: Connection, name: str, query: Query, ids: search.PageIds, limit: int | None
) -> Sequence[Sequence[Any]]:
    given = {**asked(query), "limit": limit, "before": ids.before, "floor": ids.floor}
    return await store.rows(f"{name}_ascending" if ids.ascending else name, **given)
