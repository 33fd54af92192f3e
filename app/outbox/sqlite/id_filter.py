"""Which shelves of deliveries may hold an id: what lies on older ones is told by fingerprints of their ids.

A filter as log-structured stores have them: made once of what no longer grows, and never too strict. What it lets
through is looked for on the shelf itself.
"""

import sqlite3
from collections.abc import Iterator
from typing import Any, Final
from zlib import crc32

import orjson

from app.core.pages import Query
from app.outbox.rows import as_json
from app.outbox.sqlite.sql import SQL

#: As the schema has them.
_BUCKETS: Final = 512
_FINGERPRINT_BYTES: Final = 3
_SHELVES: Final = 16
#: Of so many the ids are read in one step: for each step Python's lock has to be won back from the event loop, and all
#: of them are in memory.
_SHELVES_AT_ONCE: Final = 4


def place_of(text: str) -> tuple[int, bytes]:
    """Return the bucket of an id, and its fingerprint."""
    digest = crc32(text.encode())
    return digest % _BUCKETS, (digest >> 8).to_bytes(_FINGERPRINT_BYTES)


def looked_for(query: Query) -> dict[str, Any]:
    """Return what tells a statement on which shelves a query finds its ids. Of several one will do: all have to fit."""
    text = next((each for each in (query.message_id, query.event_id, query.order_id) if each is not None), None)
    bucket, fingerprint = (None, None) if text is None else place_of(text)
    return {"bucket": bucket, "fingerprint": fingerprint}


def fill_next_part(connection: sqlite3.Connection) -> int:
    """Make the filter of the next part that no longer grows, within a transaction, or drop that of one that is gone.

    Returns how many parts that were.
    """
    (part,) = connection.execute(SQL["next_part"]).fetchone()
    if part is None:
        return min(1, connection.execute(SQL["forget_part"]).rowcount)
    buckets = [bytearray() for _ in range(_BUCKETS)]
    for text in _ids_of(connection, part):
        bucket, fingerprint = place_of(text)
        buckets[bucket] += fingerprint
    sizes = as_json([len(each) // _FINGERPRINT_BYTES for each in buckets])
    connection.execute(SQL["fill_part"], {"part": part, "sizes": sizes, "fingerprints": b"".join(buckets)})
    return 1


def _ids_of(connection: sqlite3.Connection, part: int) -> Iterator[str]:
    for first in range(part * _SHELVES, (part + 1) * _SHELVES, _SHELVES_AT_ONCE):
        shelves = {"first": first, "end": first + _SHELVES_AT_ONCE}
        (ids,) = connection.execute(SQL["ids_on_shelves"], shelves).fetchone()
        yield from orjson.loads(ids)
