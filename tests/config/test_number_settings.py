"""Every number that may be set has a most, is finite, and at its most events are taken as ever."""

from pathlib import Path
from typing import Any

import pytest

from app.config import Settings, load_settings
from app.config.settings import AccountSettings
from app.errors import SettingsError
from tests.catalog.test_destinations import SANDBOX, faults, folder_of
from tests.web.client import client_of

DESCRIBED: dict[str, Any] = Settings.model_json_schema()
SCHEMA: dict[str, Any] = DESCRIBED["properties"]


def most_of(schema: dict[str, Any]) -> float | None:
    """Return the most that a number may be, infinity where it has none; None for what is no number."""
    for option in schema.get("anyOf", [schema]):
        if option.get("type") in {"number", "integer"}:
            below: float = option.get("exclusiveMaximum", float("inf"))
            return float(option.get("maximum", below - 0.01))
    return None


def mosts_of(schemas: dict[str, Any]) -> dict[str, float]:
    return {name: most for name, schema in schemas.items() if (most := most_of(schema)) is not None}


MOST = mosts_of(SCHEMA)
#: Of settings with several numbers, by the name of the number.
MOST_OF_TABLES = {
    name: mosts_of(DESCRIBED["$defs"][schema["$ref"].rpartition("/")[2]]["properties"])
    for name, schema in SCHEMA.items()
    if "$ref" in schema
}


def test_every_number_has_a_most() -> None:
    assert len(MOST) >= 20
    assert [name for name, most in MOST.items() if most > 10**15] == []
    assert sorted(len(mosts) for mosts in MOST_OF_TABLES.values()) == [5, 6]
    assert all(most <= 10**15 for mosts in MOST_OF_TABLES.values() for most in mosts.values())


@pytest.mark.slow
@pytest.mark.parametrize("text", ["inf", "-inf", "nan", "Infinity", "1e308", "1" + "0" * 400])
def test_what_nothing_can_hold_is_refused_with_its_setting(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    for name in MOST:
        monkeypatch.setenv(name.upper(), text)
    with pytest.raises(SettingsError) as raised:
        load_settings()
    refused = {line.partition(": ")[0].lower() for line in str(raised.value).splitlines()}
    assert MOST.keys() - refused == set()


@pytest.mark.parametrize(
    ("table", "name"), [(table, name) for table in MOST_OF_TABLES for name in MOST_OF_TABLES[table]]
)
def test_a_number_of_a_table_is_refused_with_its_name(monkeypatch: pytest.MonkeyPatch, table: str, name: str) -> None:
    for text in ("inf", "nan", "1e308", "-1"):
        monkeypatch.setenv(table.upper(), f"{name}:{text}")
        with pytest.raises(SettingsError, match=f"^{table.upper()}: {name}: must be a "):
            load_settings()


def test_a_destination_refuses_it_too(tmp_path: Path) -> None:
    for name in MOST.keys() & AccountSettings.model_fields.keys():
        for value in (".inf", ".nan"):
            folder_of(tmp_path, a=f"{SANDBOX}settings: {{{name}: {value}}}\n")
            assert f"/settings/{name}: " in faults(tmp_path)[0]


@pytest.mark.slow
@pytest.mark.asyncio
async def test_at_the_most_of_all_events_are_taken(tmp_path: Path) -> None:
    secret = "0123456789abcdef" * 2
    # The test does not wait for the end of the server.
    values: dict[str, Any] = {name: int(most) if most.is_integer() else most for name, most in MOST.items()}
    values |= {**MOST_OF_TABLES, "shutdown_timeout_s": 0}
    async with client_of(tmp_path, **values, remember_secret=secret, quarantine_key=secret) as client:
        event = {"type": "track", "event": "Order Completed", "messageId": "m-1"}
        got = await client.post("/webhook", json=[event])
        assert got.status_code == 200, got.text
        assert (await client.get("/api/v1/status")).status_code == 200
        assert (await client.get("/console")).status_code == 200
