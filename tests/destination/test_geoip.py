"""LDP by the state of an address (GEOIP_DB): a real file of MaxMind's format, whose states are never sent."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest
from structlog.testing import capture_logs

from app import assemble
from app.core.events import Outcome
from app.destination.geoip import AddressDatabase
from app.errors import SettingsError
from tests.assembled import settings, shipped_catalog
from tests.destination.mmdb import write_mmdb
from tests.destination.test_opt_outs import digest

NOW = 1_795_601_400.0
IN_CALIFORNIA, IN_NEVADA, IN_IOWA, IN_CANADA, UNKNOWN = (
    "203.0.113.9",
    "203.0.113.70",
    "203.0.113.130",
    "8.8.4.4",
    "9.9.9.9",
)
CALIFORNIA = {"country": {"iso_code": "US"}, "subdivisions": [{"iso_code": "CA", "names": {"en": "California"}}]}
NETWORKS = {
    "203.0.113.0/26": CALIFORNIA,
    "203.0.113.64/26": {"country": {"iso_code": "US"}, "subdivisions": [{"iso_code": "NV"}]},
    "203.0.113.128/25": {"country": {"iso_code": "US"}, "subdivisions": [{"names": {"en": "Iowa"}}]},
    "8.8.4.0/24": {"country": {"iso_code": "CA"}, "subdivisions": [{"iso_code": "CA"}]},
    "198.51.100.0/28": {"country": {"iso_code": "US"}},
    "198.51.100.16/28": "a text",
    "198.51.100.32/28": {"country": {"iso_code": "US"}, "subdivisions": []},
    "198.51.100.48/28": {"country": {"iso_code": "US"}, "subdivisions": [{"iso_code": "ZZ"}]},
    "198.51.100.64/28": {"country": "US", "subdivisions": ["CA"]},
}
BY_ADDRESS = "LDP is sent, the address is in a state of LDP_STATES by GEOIP_DB"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return write_mmdb(tmp_path / "cities.mmdb", NETWORKS)


@pytest.mark.parametrize(
    ("address", "state"),
    [
        (IN_CALIFORNIA, "CA"),
        (IN_NEVADA, "NV"),
        (IN_IOWA, "IA"),
        (IN_CANADA, None),
        (UNKNOWN, None),
        *((f"198.51.100.{number}", None) for number in (1, 17, 33, 49, 65)),
        ("2001:db8::1", None),
        ("no address", None),
    ],
)
def test_an_address_has_the_state_that_the_file_says_and_else_none(file: Path, address: str, state: str | None) -> None:
    assert AddressDatabase(file)(address) == state


def event_of(address: str, **place: str) -> dict[str, Any]:
    traits = {"email": "a@b.co"} | ({"address": place} if place else {})
    context = {"ip": address, "userAgent": "Mozilla/5.0 (X11; Linux x86_64)", "traits": traits}
    return {"type": "page", "messageId": "m-1", "timestamp": NOW, "context": context}


@pytest.mark.parametrize(
    ("what", "address", "place", "ldp"),
    [
        ("a listed state by the address", IN_CALIFORNIA, {}, True),
        ("beside the country", IN_CALIFORNIA, {"country": "US"}, True),
        ("a state named otherwise in the file", IN_IOWA, {}, True),
        ("a state that is not listed", IN_NEVADA, {}, False),
        ("the event names another state", IN_CALIFORNIA, {"state": "NV", "country": "US"}, False),
        ("the event names another country", IN_CALIFORNIA, {"country": "DE"}, False),
        ("a province of that code elsewhere", IN_CANADA, {}, False),
        ("an address that nobody knows", UNKNOWN, {}, False),
    ],
)
def test_an_event_that_names_no_state_gets_ldp_by_its_address(
    file: Path,
    what: str,
    address: str,
    place: dict[str, str],
    ldp: bool,  # noqa: FBT001
) -> None:
    walk = assemble.event_router(settings(ldp_states=("CA", "IA"), geoip_db=file))
    with capture_logs() as logs:
        (line,) = walk.lines(event_of(address, **place), shipped_catalog(), now=NOW)

    assert line.outcome is Outcome.ENQUEUED, what
    assert line.event is not None
    assert (line.event.get("opt_out"), line.event.get("custom_data", {}).get("opt_out_type")) == (
        (True, "LDP") if ldp else (None, None)
    )
    assert (BY_ADDRESS in line.warnings) is ldp
    assert line.event["user_data"].get("st") == ([digest("nv")] if place.get("state") else None)
    assert address not in repr((logs, line.warnings))


def test_memory_learns_nothing_of_such_an_event_and_it_is_no_answer_of_the_person(file: Path) -> None:
    event = event_of(IN_CALIFORNIA)
    reader = assemble.identity_event_reader(settings(ldp_states=("CA",), geoip_db=file))
    read, _ = reader(event, shipped_catalog(), now=NOW, is_trusted=True)

    assert (read.is_withheld, read.is_opt_out) == (True, False)
    assert reader.has_opt_out(event, shipped_catalog())  # it is neither a sample nor in the tail


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-40])


@pytest.mark.parametrize(
    ("damage", "why"),
    [
        (Path.unlink, r"cities\.mmdb cannot be read: No such file"),
        (_cut, "it is no file of MaxMind's format"),
        (lambda path: path.write_text("not one"), "it is no file of MaxMind's format"),
        (lambda path: path.write_bytes(b""), "it is no file of MaxMind's format"),
        (
            lambda path: write_mmdb(path, {"8.8.4.0/24": {"country": {"iso_code": "CA"}}}, database_type="X-Country"),
            r"\(X-Country\) names no states\. Use a database of cities",
        ),
    ],
)
def test_a_file_that_gives_no_states_stops_the_start(file: Path, damage: Callable[[Path], Any], why: str) -> None:
    damage(file)
    mine = settings(ldp_states=("CA",), geoip_db=file)

    with pytest.raises(SettingsError, match=rf"GEOIP_DB: .*{why}"):
        assemble.event_router(mine)


def test_a_replaced_file_is_read_at_the_next_question_and_a_broken_one_is_not(file: Path, tmp_path: Path) -> None:
    look = AddressDatabase(file)
    assert look(IN_NEVADA) == "NV"
    other = write_mmdb(tmp_path / "new.mmdb", {"203.0.113.0/24": CALIFORNIA})
    os.replace(other, file)  # noqa: PTH105 - as geoipupdate does it
    assert look(IN_NEVADA) == "CA"

    with capture_logs() as logs:
        file.write_bytes(b"cut in place")
        assert [look(IN_NEVADA), look(IN_NEVADA)] == ["CA", "CA"]
        file.unlink()
        assert look(IN_NEVADA) == "CA"
    assert [(each["event"], each["log_level"]) for each in logs] == [("addresses not reloaded", "error")] * 2
    assert IN_NEVADA not in orjson.dumps(logs).decode()
