"""A version is a promise: no schema file of a release is edited, and a store of every release is upgraded.

`make release` keeps what is compared (tests/outbox/keep_store.py). Until the first release there is nothing to compare,
so each rule is tried on a planted one too.
"""

import hashlib
import json
import re
import shutil
from collections.abc import Iterator
from decimal import Decimal
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from app.core.events import Outcome
from app.core.pages import Query
from app.errors import OutboxVersionError
from app.outbox import open_outbox
from tests.outbox.build import new, rules
from tests.outbox.keep_store import STORES, SUMS, checksums, keep, load
from tests.outbox.postgres_server import PostgresServer
from tests.process import ROOT


def edited(root: Path, sums: str) -> list[str]:
    """Return the schema files of releases that are not what they were."""
    released = [line.split() for line in sums.splitlines()]
    return [name for digest, name in released if not _is_what_it_was(root / name, digest)]


def _is_what_it_was(path: Path, digest: str) -> bool:
    return path.exists() and hashlib.sha256(path.read_bytes()).hexdigest() == digest


def forgotten(changelog: str, folder: Path, sums: str) -> list[str]:
    """Return the stores that releases should have left in a folder, and the file of checksums where it is empty."""
    versions = re.findall(r"^## \[(\d+\.\d+\.\d+)\]", changelog, re.MULTILINE)
    stores = [f"{version}.{engine}.sql" for version in versions for engine in ("sqlite", "postgres")]
    missing = [name for name in stores if not (folder / name).exists()]
    return missing + (["SHA256SUMS"] if versions and not sums else [])


def test_no_schema_file_of_a_release_is_edited_and_every_release_left_a_store() -> None:
    sums = SUMS.read_text(encoding="utf-8")
    assert edited(ROOT, sums) == [], "these files are released: write the next version instead"
    assert forgotten((ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), STORES, sums) == []


def test_a_planted_release_whose_files_change_or_whose_stores_are_gone_is_noticed(tmp_path: Path) -> None:
    for engine in ("sqlite", "postgres"):
        shutil.copytree(ROOT / f"app/outbox/{engine}/schema", tmp_path / f"app/outbox/{engine}/schema")
    sums = checksums(tmp_path)
    (tmp_path / "app/outbox/sqlite/schema/99.sql").write_text("-- The next version.", encoding="utf-8")
    assert edited(tmp_path, sums) == []
    with (tmp_path / "app/outbox/sqlite/schema/1.sql").open("a", encoding="utf-8") as file:
        file.write("-- One comment more.\n")
    (tmp_path / "app/outbox/postgres/schema/1.sql").unlink()
    assert edited(tmp_path, sums) == ["app/outbox/postgres/schema/1.sql", "app/outbox/sqlite/schema/1.sql"]
    of_the_next = checksums(tmp_path, sums)
    assert of_the_next.startswith(sums)
    assert of_the_next.removeprefix(sums).endswith("  app/outbox/sqlite/schema/99.sql\n")

    changelog = "## [Unreleased]\n\n## [0.1.0] - 2026-12-24\n"
    assert forgotten("## [Unreleased]\n", tmp_path, "") == []
    assert forgotten(changelog, tmp_path, "") == ["0.1.0.sqlite.sql", "0.1.0.postgres.sql", "SHA256SUMS"]
    (tmp_path / "0.1.0.sqlite.sql").touch()
    assert forgotten(changelog, tmp_path, sums) == ["0.1.0.postgres.sql"]


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory, postgres_server: PostgresServer) -> Path:
    """A folder with the stores that `make release` would keep now."""
    folder = tmp_path_factory.mktemp("stores")
    keep("9.9.9", folder, postgres_server)
    return folder


@pytest.fixture(params=["sqlite", "postgres"])
def kept(request: pytest.FixtureRequest, planted: Path) -> list[str]:
    """What every release kept of an engine, and the planted one."""
    engine: str = request.param
    paths = [*sorted(STORES.glob(f"*.{engine}.sql")), planted / f"9.9.9.{engine}.sql"]
    return [path.read_text(encoding="utf-8") for path in paths]


@pytest.fixture
def urls(kept: list[str], tmp_path: Path, postgres_server: PostgresServer) -> Iterator[str]:
    """The URLs of as many stores that are not made yet, one after the other."""

    def made() -> Iterator[str]:
        for number, text in enumerate(kept):
            if "PRAGMA" in text:
                yield f"sqlite:///{tmp_path}/{number}.db"
            else:
                with postgres_server.database() as url:
                    yield url

    return made()


@pytest.fixture
def next_version(monkeypatch: pytest.MonkeyPatch) -> int:
    """A next version of both schemas, as some release will bring one."""
    numbers: set[int] = set()
    for engine in ("sqlite", "postgres"):
        database: Any = import_module(f"app.outbox.{engine}.database")
        version, script = database.SCHEMA_VERSION + 1, "ALTER TABLE dropped_event ADD COLUMN planted integer;"
        asked, planted = database.schema, script.encode() if engine == "postgres" else script
        monkeypatch.setattr(database, "SCHEMA_VERSION", version)
        monkeypatch.setattr(
            database, "schema", lambda step, of=(asked, version, planted): of[2] if step == of[1] else of[0](step)
        )
        numbers.add(version)
    return max(numbers)


@pytest.mark.whole
async def test_a_store_of_every_release_is_upgraded_and_loses_nothing(
    kept: list[str], urls: Iterator[str], next_version: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    for text, url in zip(kept, urls, strict=True):
        load(text, url)
        with capture_logs() as lines:
            await _loses_nothing(url, now=_soon_after(text))
        migrated = [(line["event"], line["to_version"]) for line in lines if line["event"].startswith("migration")]
        assert migrated[:2] == [("migration started", next_version), ("migration finished", next_version)]
        with monkeypatch.context() as older:
            for engine in ("sqlite", "postgres"):
                older.setattr(f"app.outbox.{engine}.database.SCHEMA_VERSION", next_version - 1)
            with pytest.raises(OutboxVersionError, match=f"schema version {next_version}"):
                await _open(url)


def _soon_after(text: str) -> float:
    """Return a moment at which all that a store holds is due, and no key has expired."""
    return min(float(number) for number in re.findall(r"\b[12]\d{9}\.\d+", text)) + 60


async def _open(url: str) -> None:
    outbox = open_outbox(url, rules())
    try:
        await outbox.check()
    finally:
        await outbox.close()


async def _loses_nothing(url: str, *, now: float) -> None:
    outbox = open_outbox(url, rules(), clock=lambda: now)
    try:
        kept = (await outbox.search(Query(), limit=9)).deliveries
        account = kept[0].ad_account_id
        names = sorted({(each.name, each.source) for each in kept})
        named = await outbox.inventory.name_counts(names, first_day=0, last_day=10**6)
        assert sum(each.number for each in named if each.state == "waiting") == 2
        revenue = await outbox.revenue(first_day=0, last_day=10**6)
        assert [(row.channel, row.became, row.orders, row.amount) for row in revenue] == [
            ("", "waiting", 1, Decimal(20))
        ]
        claimed = await outbox.claim(account, limit=9, max_bytes=10**6, max_wait_s=0, lease_s=60, now=now)
        sent = {each.message_id: json.loads(each.payload) for each in claimed}
        assert {key: each["event_name"] for key, each in sent.items()} == {"old-1": "checkout", "old-2": "signup"}
        assert sent["old-1"]["custom_data"]["order_id"] == "SO-1"
        again = new(ad_account_id=account, preset="Order Completed", event_name="checkout", event_id="old-1")
        (checked,) = await outbox.enqueue([again], [], [], now=now)
        assert checked.outcome is Outcome.DUPLICATE
        assert {note.outcome for _, note in (await outbox.message("old-3")).dropped_events} == {Outcome.INVALID}
        assert (await outbox.backlog(account, now=now)).claimed == 2
    finally:
        await outbox.close()
