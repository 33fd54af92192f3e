"""Sealed events that are erased leave the file and what lies beside it."""

from pathlib import Path

from app.outbox import open_outbox
from tests.outbox.build import NOW, rules
from tests.outbox.new_store import new_store
from tests.outbox.test_sealed_events import sealed


def files_with(text: str, folder: Path) -> set[str]:
    return {each.name for each in folder.iterdir() if text.encode() in each.read_bytes()}


async def test_what_is_erased_leaves_the_files(tmp_path: Path) -> None:
    outbox = open_outbox(new_store(tmp_path, "o.db"), rules(), clock=lambda: NOW)
    secret = "sealed-so-that-it-can-be-looked-for" * 300
    await outbox.sealed_events.keep([sealed(1, sealed=secret)])
    await outbox.sealed_events.forget(["key-1"])
    there = files_with(secret[:40], tmp_path)
    await outbox.close()
    assert there == set()
