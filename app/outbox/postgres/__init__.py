"""The PostgreSQL engine of the outbox.

engine      the `Outbox`: combines the parts below
writer      group commit: simultaneous calls share a transaction, large calls have separate ones
database    the schema, running work, the server's clock; lends methods a connection
connections connections, their time limits, the meaning of errors, the statements of queries.sql
notifier    wakes tasks that wait for work
transfer    a side of a move
enqueue, claim, settle, set_aside    writes, in one transaction each
retention   deletion of old data; the tables of days
people      the PostgreSQL part of `app.outbox.people`

The SQLite engine has the docstrings of functions that exist in both engines.
"""

from app.outbox.postgres.engine import PostgresOutbox

__all__ = ["PostgresOutbox"]
