"""The NATS JetStream engine of the outbox. docs/cluster.md says how it is run and what differs from SQLite.

engine      the methods of `Outbox`
streams     names, subjects and limits of what is stored
connection  one connection; every error of NATS leaves through it
broker      the calls of NATS
record      what is stored of a delivery, as JSON
keys        de-duplication
enqueue, queue, taken, holding, batch, settle, redrive      the life of a delivery
ledger, tally, shared, watch                what is read, counted, shared and waited for
"""

from app.outbox.jetstream.engine import JetStreamOutbox

__all__ = ["JetStreamOutbox"]
