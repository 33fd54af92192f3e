"""The SQLite engine of the outbox.

engine      the `Outbox`: it is made of the parts below, and hands what is left to them
writer      one thread, group commit, and the queue of what waits for it
readers     connections that read; what makes a method run on one of them, or in the thread that writes
notifier    wakes those who wait for something to do
database    the file, its schema, the statements of queries.sql, its errors
guard       whether the file may be trusted with more: gone, damaged, on a full disk
copies      backups
salvage     what can still be read of a damaged file
scrub       what was erased and still lies in the free room of the file
transfer    one side of a move
enqueue, claim, settle, redrive, retention, counters, set_aside    what is written, in one transaction each
ledger, people, shared    parts of the `Outbox`: searches, counts and who did what, memory, shared values
inventory, sealed_events    what arrives by name, what is quarantined
"""

from app.outbox.sqlite.engine import SqliteOutbox

__all__ = ["SqliteOutbox"]
