"""Keeps what a release promises: a store of each engine, for later versions to upgrade, and checksums of its schema.

`make release` calls it: python -m tests.outbox.keep_store 0.1.0
"""

import hashlib
import json
import sqlite3
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import psycopg

from tests.outbox.postgres_server import PostgresServer, program
from tests.process import COMMAND, ROOT, clean_environment

STORES = Path(__file__).parent / "stores"
#: Of the schema files of all releases, as `sha256sum` writes them; empty until the first one.
SUMS = STORES / "SHA256SUMS"

_PERSON = {"traits": {"email": "ada@example.com"}}
_ORDER = {"order_id": "SO-1", "revenue": 20, "currency": "USD"}
#: Two that are enqueued, and one that is invalid.
EVENTS = (
    {"type": "track", "event": "Order Completed", "messageId": "old-1", "context": _PERSON, "properties": _ORDER},
    {"type": "track", "event": "Signed Up", "messageId": "old-2", "context": _PERSON},
    {"type": "page", "messageId": "old-3", "context": {}},
)


def keep(version: str, folder: Path, server: PostgresServer) -> None:
    """Write the stores of both engines that this checkout makes of the events, as SQL."""
    with tempfile.TemporaryDirectory() as made:
        file = Path(made) / "pinrelay.db"
        _fill(f"sqlite:///{file}")
        (folder / f"{version}.sqlite.sql").write_text(_dump_file(file), encoding="utf-8")
    with server.database() as url:
        _fill(url)
        (folder / f"{version}.postgres.sql").write_text(_dump_database(url), encoding="utf-8")


def load(text: str, url: str) -> None:
    """Put a kept store into a file that is not there, or an empty database."""
    if url.startswith("postgresql"):
        with psycopg.connect(url) as connection:
            connection.execute(text.encode())
    else:
        with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as connection:
            connection.executescript(text)


def checksums(root: Path, released: str = "") -> str:
    """Return the checksums of what was released before, as it was then, and of all other schema files of a checkout."""
    known = {line.split()[1] for line in released.splitlines()}
    files = {str(path.relative_to(root)): path for path in sorted(root.glob("app/outbox/*/schema/*.sql"))}
    new = {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in files.items() if name not in known}
    return released + "".join(f"{digest}  {name}\n" for name, digest in new.items())


def _fill(url: str) -> None:
    at = datetime.fromtimestamp(time.time(), UTC).isoformat()
    with tempfile.NamedTemporaryFile("w", suffix=".json", encoding="utf-8") as events:
        json.dump([{**event, "timestamp": at} for event in EVENTS], events)
        events.flush()
        subprocess.run(
            [COMMAND, "import", events.name, "--json"],
            cwd=ROOT,
            env=clean_environment(outbox_url=url),
            check=True,
            stdout=sys.stderr,
        )


def _dump_file(file: Path) -> str:
    with closing(sqlite3.connect(file)) as connection:
        marks = [
            f"PRAGMA {name}={connection.execute(f'PRAGMA {name}').fetchone()[0]};"
            for name in ("application_id", "user_version")
        ]
        lines = "\n".join(connection.iterdump()).splitlines()
    return "\n".join([*marks, *map(str.rstrip, lines)]) + "\n"


def _dump_database(url: str) -> str:
    """Return a database as SQL, without settings, which an older server may not know, and commands of psql."""
    command = [str(program("pg_dump")), "--no-owner", "--no-privileges", "--inserts", url]
    dumped = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    return "\n".join(line for line in dumped if line and not line.startswith(("SET ", "--", "\\"))) + "\n"


if __name__ == "__main__":
    with PostgresServer() as postgres:
        keep(sys.argv[1], STORES, postgres)
    SUMS.write_text(checksums(ROOT, SUMS.read_text(encoding="utf-8")), encoding="utf-8")
