"""The PostgreSQL engine of the outbox.

engine      the methods of `Outbox`
writer      group commit: what is enqueued at the same time shares a transaction, large calls apart
database    the schema, and running what uses it
connections connections, and their time limits
failures    what errors mean
days        the tables of days
watch       what `wait` waits for
server_clock    by how much the server's clock is ahead
carrying    one side of a move
enqueue, claim, settle, withdraw, redrive, retention    what is written, in one transaction each
people, accounts, shared    what is remembered, who did what, what every process must know
inventory, sealed_events    what arrives by name, what is quarantined
ledger      what is read
sql         the statements of queries.sql, and the scripts of the schema
"""

from app.outbox.postgres.engine import PostgresOutbox

__all__ = ["PostgresOutbox"]
