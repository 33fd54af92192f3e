"""The PostgreSQL engine of the outbox.

engine      the `Outbox`: it is made of the parts below, and hands what is left to them
writer      group commit: what is enqueued at the same time shares a transaction, large calls apart
database    the schema, running what uses it, the server's clock; what lends a method its connection
connections connections, their time limits, what errors mean, the statements of queries.sql
notifier    wakes those who wait for something to do
transfer    one side of a move
enqueue, claim, settle, redrive, set_aside    what is written, in one transaction each
retention   what is forgotten; the tables of days
ledger, people    this engine's part of what `app.outbox.ledger` and `app.outbox.people` have for both

What functions that the engine for SQLite has as well promise is said there.
"""

from app.outbox.postgres.engine import PostgresOutbox

__all__ = ["PostgresOutbox"]
