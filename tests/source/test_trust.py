"""Who is trusted: decided once at the door, by who made an event; and who is known, by who sent it."""

import hashlib
import hmac
from typing import Any

import orjson
import pytest

from app.config import load_settings
from app.errors import SettingsError
from tests.rows import every_row
from tests.source.door import Ledger, client, tracking, webhook

TRACK = {"type": "track", "event": "Order Completed", "messageId": "m-1"}
DELETE = {"type": "delete", "userId": "ann", "messageId": "m-2"}
SECRET = b"abc123"
HEADER = {"x-key": "hunter2hunter2"}

#: Only servers make the events of `/webhook`.
SERVERS = ("webhook",)


def signed(body: Any, of: Any = None) -> dict[str, str]:
    """Return the header by which Segment signs a body, or what of it is given."""
    return {"x-signature": hmac.new(SECRET, orjson.dumps(body if of is None else of), hashlib.sha1).hexdigest()}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("ways", "trusted"),
    [
        ({"is_open": True, "keys": ()}, True),  # nobody has to prove anything: only this machine may send
        ({}, False),  # pages hold a write key
        ({"trusted_senders": ("app",)}, False),
        ({"trusted_senders": ("app", "shop")}, True),
    ],
)
async def test_a_write_key_proves_nothing_unless_it_is_marked(ways: dict[str, Any], *, trusted: bool) -> None:
    ledger = Ledger()
    async with client(tracking(ledger, **ways)) as http:
        await http.post("/v1/track", json=TRACK | {"writeKey": "k1"})
    assert (ledger.trusted, ledger.known) == ([trusted], [trusted])


@pytest.mark.parametrize(
    ("ways", "trusted"),
    [
        ({"is_open": True}, True),
        ({"header": "X-Key: hunter2hunter2", "is_open": False}, False),  # a relay proves itself, not the author
        ({"header": "X-Key: hunter2hunter2", "is_open": False, "trusted_senders": ("webhook",)}, True),
    ],
)
async def test_a_relay_of_the_webhook_is_known_and_its_events_are_public(
    ways: dict[str, Any], *, trusted: bool
) -> None:
    ledger = Ledger()
    async with client(webhook(ledger, **ways)) as http:
        await http.post("/webhook", json=TRACK, headers=HEADER)
    assert (ledger.trusted, ledger.known) == ([trusted], [True])


@every_row(
    ("body", "of", "header", "senders", "trusted", "known"),
    [
        ([TRACK, TRACK], None, False, SERVERS, [True], [True]),  # the whole batch is signed
        ([TRACK, TRACK], TRACK, True, SERVERS, [True], [True]),  # and so it is by the header
        ([TRACK, TRACK], TRACK, False, SERVERS, [True, False], [True, False]),
        ([TRACK, TRACK], TRACK, False, (), [False], [False]),
        ([DELETE, TRACK], DELETE, False, (), [False, False], [True, False]),
        ([TRACK, DELETE], TRACK, False, (), [False], [False]),  # whoever knows one signed event appends others
        ([DELETE], DELETE, False, (), [False], [True]),
        ([], None, False, SERVERS, [True], [True]),
        (TRACK, None, False, SERVERS, [True], [True]),
    ],
)
async def test_what_a_signature_does_not_cover_is_of_nobody_who_is_known(
    body: Any, of: Any, senders: tuple[str, ...], trusted: list[bool], known: list[bool], *, header: bool
) -> None:
    ledger = Ledger()
    asked = "X-Key: hunter2hunter2" if header else None
    async with client(webhook(ledger, secrets=(SECRET,), header=asked, is_open=False, trusted_senders=senders)) as http:
        answer = await http.post("/webhook", content=orjson.dumps(body), headers=signed(body, of) | HEADER)
    count = len(body) if isinstance(body, list) else 1
    assert (len(answer.json()["events"]), answer.json()["counts"]["accepted"]) == (count, count)
    assert (ledger.trusted, ledger.known) == (trusted, known)


def test_a_mark_of_no_write_key_stops_the_start() -> None:
    with pytest.raises(SettingsError, match="TRUSTED_SENDERS: no write key is named pos, till: use names of"):
        load_settings(write_keys="shop:0123456789abcdef", trusted_senders="shop,pos,till,webhook")


def test_a_write_key_with_the_name_of_the_route_is_not_trusted_by_mistake() -> None:
    key = "webhook:0123456789abcdef"
    with pytest.raises(SettingsError, match="TRUSTED_SENDERS: webhook is the route and a write key"):
        load_settings(write_keys=key, trusted_senders="webhook")
    assert not load_settings(write_keys=key).is_webhook_trusted
