"""Keeps a store of this version as SQL, for every later version to upgrade: `make release` calls it.

python -m tests.outbox.keep_store tests/outbox/stores/0.1.0.sql
"""

import json
import sqlite3
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from tests.process import COMMAND, ROOT, clean_environment

_PERSON = {"traits": {"email": "ada@example.com"}}
_ORDER = {"order_id": "SO-1", "revenue": 20, "currency": "USD"}
#: Two that are enqueued, and one that is invalid.
EVENTS = (
    {"type": "track", "event": "Order Completed", "messageId": "old-1", "context": _PERSON, "properties": _ORDER},
    {"type": "track", "event": "Signed Up", "messageId": "old-2", "context": _PERSON},
    {"type": "page", "messageId": "old-3", "context": {}},
)


def keep(target: Path) -> None:
    """Write the store that this version makes of the events, as SQL."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "pinrelay.db"
        at = datetime.fromtimestamp(time.time(), UTC).isoformat()
        events = Path(folder) / "events.json"
        events.write_text(json.dumps([{**event, "timestamp": at} for event in EVENTS]), encoding="utf-8")
        subprocess.run(
            [COMMAND, "import", events, "--json"],
            cwd=ROOT,
            env=clean_environment(outbox_url=f"sqlite:///{file}"),
            check=True,
            stdout=sys.stderr,
        )
        target.write_text(dump(file), encoding="utf-8")


def dump(file: Path) -> str:
    """Return a store as SQL, with the version of its schema first."""
    with closing(sqlite3.connect(file)) as connection:
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        lines = "\n".join(connection.iterdump()).splitlines()
    return "\n".join([f"PRAGMA user_version={version};", *map(str.rstrip, lines)]) + "\n"


if __name__ == "__main__":
    keep(Path(sys.argv[1]))
