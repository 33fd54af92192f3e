"""An SQLite outbox with the schema and nothing in it, without the time that its tables take to be made."""

import tempfile
from functools import cache
from pathlib import Path

from app.outbox.sqlite.database import OWNER_ONLY, open_writable


def new_store(folder: Path, name: str = "outbox.db") -> str:
    """Put an empty outbox into this folder, unless it is there already, and return its URL."""
    path = folder / name
    if not path.exists():
        path.touch(OWNER_ONLY)
        path.write_bytes(_empty())
    return f"sqlite:///{path}"


@cache
def _empty() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "outbox.db"
        open_writable(path).close()
        return path.read_bytes()
