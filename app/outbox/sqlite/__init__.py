"""The SQLite engine of the outbox.

engine      the `Outbox`: combines the parts below
writer      one thread, group commit, the queue of waiting calls, and the check for commits of other processes
readers     connections for reads; lends methods a connection
notifier    wakes tasks that wait for work
database    the file, its schema, the statements of queries.sql, its errors
filters     the filters of a query as conditions of SQL
guard       whether the file may accept data: it may be missing, damaged, or on a full disk
copies      backups
salvage     readable data of a damaged file
scrub       remains of erased data in the free space of the file
transfer    a side of a move
enqueue, claim, settle, retention, set_aside    writes, in one transaction each
people      the SQLite part of `app.outbox.people`
"""

from app.outbox.sqlite.engine import SqliteOutbox

__all__ = ["SqliteOutbox"]
