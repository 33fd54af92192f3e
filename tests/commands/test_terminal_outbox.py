"""What a command is to look into is there, or it says so: to open an outbox by a mistyped name would make one."""

from pathlib import Path
from typing import Final

import pytest

from app.errors import OutboxUnavailable
from tests.commands.conftest import Run

ORDERS: Final = "order_id,total,currency\nSO-1,5,EUR\n"
#: Every command that only looks into an outbox, or changes what lies in it.
COMMANDS: Final = [
    *[
        "status",
        "audit",
        "find x",
        "message m",
        "deliveries list",
        "deliveries causes",
        "orders revenue",
        "events list",
        "events not-sent",
        "events counts",
        "events properties x",
        "feed",
    ],
    *["deliveries redrive --all", "deliveries dismiss --all --because x"],
    *["forget --user-id u", "backup FILE", "ledger-export FILE"],
    *[
        "quarantine list",
        "quarantine preview",
        "quarantine replay --all",
        "quarantine discard --all",
        "reconcile ORDERS",
    ],
]


@pytest.mark.parametrize("place", ["typo.db", "no/folder/o.db", "relative"])
@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_names_an_outbox_that_is_not_there_and_makes_none(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str, place: str
) -> None:
    orders = tmp_path / "orders.csv"
    orders.write_text(ORDERS, encoding="utf-8")
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    url = "sqlite:///data/pinrelay.db" if place == "relative" else f"sqlite:///{folder}/{place}"
    words = [{"FILE": str(folder / "file"), "ORDERS": str(orders)}.get(word, word) for word in command.split()]
    settings = {"QUARANTINE_DAYS": "1", "QUARANTINE_KEY": "k" * 44}

    told = run(*words, OUTBOX_URL=url, **settings)

    assert isinstance(told.exception, OutboxUnavailable), told.output
    assert "No outbox at" in str(told.exception)
    assert (url if command != "backup FILE" else url.removeprefix("sqlite:///")) in str(told.exception)
    assert list(folder.iterdir()) == []
