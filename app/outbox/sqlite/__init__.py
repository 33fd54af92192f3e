"""The SQLite engine of the outbox.

engine      the methods of `Outbox`, each handed to the writer or to a reader
writer      one thread, group commit
job_queue   what waits for that thread, and what of it shares a commit
readers     connections that read
watch       what `wait` waits for
database    the file, its schema, its errors
guard       whether the file may be trusted with more: gone, damaged, on a full disk
copies      backups
salvage     what can still be read of a damaged file
wiping      what was erased and still lies in the free room of the file
carrying    one side of a move
enqueue, claim, settle, withdraw, redrive, retention, tally    what is written, in one transaction each
people, accounts, shared    what is remembered, who did what, what every process must know
person_ids  the numbers under which people are remembered
inventory, sealed_events    what arrives by name, what is quarantined
ledger      what is read; conditions   which of it a Query means
sql         the statements of queries.sql, and the scripts of the schema
"""

from app.outbox.sqlite.engine import SqliteOutbox

__all__ = ["SqliteOutbox"]
