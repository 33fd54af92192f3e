"""The PostgreSQL engine of the outbox.

engine      the methods of `Outbox`
writer      group commit: what is enqueued at the same time shares a transaction
database    the schema, and running what uses it
connections connections, and their time limits
failures    what errors mean
days        the tables of days
watch       what `wait` waits for
carrying    one side of a move
enqueue, claim, settle, withdraw, redrive, retention    what is written, in one transaction each
people, accounts, shared    what is remembered, who did what, what every process must know
ledger      what is read
"""

from app.outbox.postgres.engine import PostgresOutbox

__all__ = ["PostgresOutbox"]
