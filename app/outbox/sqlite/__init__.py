"""The SQLite engine of the outbox.

engine      the `Outbox`: it is made of the parts below, and hands what is left to them
writer      one thread, group commit, the queue of what waits for it, and the look for commits of other processes
readers     connections that read; what lends a method one of them, or the one that writes
notifier    wakes those who wait for something to do
database    the file, its schema, the statements of queries.sql, its errors
guard       whether the file may be trusted with more: gone, damaged, on a full disk
copies      backups
salvage     what can still be read of a damaged file
scrub       what was erased and still lies in the free room of the file
transfer    one side of a move
enqueue, claim, settle, redrive, retention, counters, set_aside    what is written, in one transaction each
ledger, people    this engine's part of what `app.outbox.ledger` and `app.outbox.people` have for both
"""

from app.outbox.sqlite.engine import SqliteOutbox

__all__ = ["SqliteOutbox"]
