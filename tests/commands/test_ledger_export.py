"""`pinrelay ledger-export`: a day is a file, written once, from either engine."""

import asyncio
import json
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pyarrow import parquet

from app.core.events import CounterRow, DroppedEvent, Outcome
from app.core.people import Recalled
from app.outbox import open_outbox
from tests.commands.conftest import Run
from tests.outbox.build import DAY_S, At, new, rules

#: Noon, two days ago.
THEN = time.time() // DAY_S * DAY_S - 1.5 * DAY_S
DAY = datetime.fromtimestamp(THEN, UTC).date().isoformat()
NOTE = DroppedEvent(
    message_id="n",
    ad_account_id="7",
    preset="p",
    outcome=Outcome.INVALID,
    reason="no id",
    warnings=("w",),
    amount="1",
    currency="EUR",
)


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.whole)])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A store with a ledger."""
    if request.param == "postgres":
        with request.getfixturevalue("postgres_server").database() as url:
            asyncio.run(fill(url))
            yield url
    else:
        url = f"sqlite:///{tmp_path}/ledger.db"
        asyncio.run(fill(url))
        yield url


async def fill(url: str) -> None:
    at = At(open_outbox(url, rules(), clock=lambda: THEN), THEN)
    order: dict[str, Any] = {
        "order_id": "o",
        "amount": "12.50",
        "currency": "EUR",
        "source": "shop",
        "warnings": ("w",),
    }
    order |= {"memory": {"em": Recalled(age_s=3, by="identify")}}
    await at.enqueue(new(message_id="first", **order), new(message_id="second"), dropped=(NOTE,))
    await at.later(5).deliver(*await at.claim())
    await at.dead_letter(new(message_id="dead"), "em is malformed")
    await at.enqueue(counters=(CounterRow(name="accepted", count=2),))
    await at.later(60).enqueue(
        counters=(CounterRow(name="accepted", count=3), CounterRow(name="invalid", ad_account_id="7"))
    )
    today = at.later(1.5 * DAY_S)
    await today.enqueue(new(message_id="today"))
    await today.deliver(*await today.claim())
    await at.outbox.close()


def rows(folder: Path, name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = parquet.read_table(folder / f"{name}-{DAY}.parquet").to_pylist()
    return found


def test_each_day_that_is_over_is_a_file(run: Run, url: str, tmp_path: Path) -> None:
    folder = tmp_path / "files"
    done = run("ledger-export", folder, "--json", OUTBOX_URL=url)
    written = json.loads(done.stdout)["files"]
    assert written == {
        f"deliveries-{DAY}.parquet": 3,
        f"dropped_events-{DAY}.parquet": 1,
        f"counts-{DAY}.parquet": len(rows(folder, "counts")),
    }
    assert sorted(path.name for path in folder.iterdir()) == sorted(written)
    first, second, dead = rows(folder, "deliveries")
    assert [first["message_id"], second["message_id"], dead["message_id"]] == ["first", "second", "dead"]
    then = datetime.fromtimestamp(THEN, UTC)
    assert {name: first[name] for name in ("order_id", "amount", "currency", "source", "state", "attempts")} == {
        "order_id": "o", "amount": "12.50", "currency": "EUR", "source": "shop", "state": "delivered", "attempts": 1,
    }  # fmt: skip
    assert (first["enqueued_at"], (first["settled_at"] - then).seconds, first["warnings"]) == (then, 5, ["w"])
    assert [(each["result"], each["status"]) for each in first["history"]] == [("delivered", 200)]
    assert (dead["state"], dead["reason"]) == ("dead", "em is malformed")
    (note,) = rows(folder, "dropped_events")
    assert note == {
        "message_id": "n", "ad_account_id": "7", "preset": "p", "outcome": "invalid", "reason": "no id",
        "event_name": None, "name": "", "channel": "", "order_id": None, "amount": "1", "currency": "EUR",
        "source": "default", "warnings": ["w"], "is_trusted": False, "was_enqueued": False, "at": then,
    }  # fmt: skip
    accepted = [each for each in rows(folder, "counts") if each["name"] == "accepted"]
    assert [(each["hour"], each["count"]) for each in accepted] == [(then, 5)]
    assert [each["ad_account_id"] for each in rows(folder, "counts") if each["name"] == "invalid"] == ["7"]


def test_what_is_written_is_left_alone(run: Run, url: str, tmp_path: Path) -> None:
    folder = tmp_path / "files"
    run("ledger-export", folder, OUTBOX_URL=url)
    (folder / f"dropped_events-{DAY}.parquet").unlink()
    (folder / f"deliveries-{DAY}.parquet").write_text("mine")
    assert "1 file written" in run("ledger-export", folder, OUTBOX_URL=url).stdout
    assert (folder / f"deliveries-{DAY}.parquet").read_text() == "mine"


def test_a_large_day_is_read_in_steps(run: Run, url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.commands.ledger_export.READ_ROWS", 1)
    run("ledger-export", tmp_path / "files", OUTBOX_URL=url)
    assert len(rows(tmp_path / "files", "deliveries")) == 3


def test_a_file_that_could_not_be_finished_is_not_there(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = f"sqlite:///{tmp_path}/ledger.db"
    asyncio.run(fill(url))

    def fail(*_: object) -> None:
        raise OSError("no space")

    monkeypatch.setattr("app.commands.ledger_export._place", fail)
    monkeypatch.setattr("app.commands.ledger_export.READ_ROWS", 1)
    assert isinstance(run("ledger-export", tmp_path / "files", OUTBOX_URL=url).exception, OSError)
    assert list((tmp_path / "files").iterdir()) == []


def test_without_pyarrow_the_extra_is_named(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "app.commands.parquet_files", None)
    done = run("ledger-export", tmp_path / "files")
    assert "pip install pinrelay[files]" in str(done.exception)
