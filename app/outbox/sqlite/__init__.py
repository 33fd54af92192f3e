"""The SQLite engine of the outbox.

engine      the methods of `Outbox`, each handed to the writer or to a reader
writer      one thread, group commit
readers     connections that read
watch       what `wait` waits for
database    the file, its schema, its errors
guard       whether the file may be trusted with more: gone, damaged, on a full disk
copies      backups; salvage   what can still be read of a damaged file
enqueue, claim, held, settle, redrive, retention, shared, tally    what is written, in one transaction each
ledger      what is read
"""

from app.outbox.sqlite.engine import SqliteOutbox

__all__ = ["SqliteOutbox"]
