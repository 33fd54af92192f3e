"""The PostgreSQL engine of the outbox.

engine      the methods of `Outbox`
writer      group commit: what is enqueued at the same time shares a transaction
database    connections, the schema, time limits, and what errors mean
days        the tables of days
watch       what `wait` waits for
enqueue, claim, settle, redrive, retention, shared    what is written, in one transaction each
ledger      what is read
"""

from app.outbox.postgres.engine import PostgresOutbox

__all__ = ["PostgresOutbox"]
