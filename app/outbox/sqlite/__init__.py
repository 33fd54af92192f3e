"""The SQLite engine of the outbox.

engine      the methods of `Outbox`, each handed to the writer or to a reader
writer      one thread, group commit
readers     connections that read
watch       what `wait` waits for
database    the file, its schema, its errors
guard       whether the file may be trusted with more: gone, damaged, on a full disk
copies      backups
salvage     what can still be read of a damaged file
carrying    one side of a move
enqueue, claim, settle, withdraw, redrive, retention, tally    what is written, in one transaction each
people, accounts, shared    what is remembered, who did what, what every process must know
ledger      what is read
"""

from app.outbox.sqlite.engine import SqliteOutbox

__all__ = ["SqliteOutbox"]
