"""No planted value of a person reaches a file, a log, a metric, a page or an answer, on both engines, at any stage."""

import hashlib
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import psycopg
from psycopg import sql

from tests.disks import bytes_of
from tests.process import PLAIN, Server
from tests.rows import every_row
from tests.waiting import until
from tests.whole.conftest import Pinterest, delivery, until_settled
from tests.whole.planted import EMAIL, EXTERNAL_ID, PHONE, PLANTED, events, forms, ids

#: What Pinterest takes hashed and what is too common to be searched for is looked at field by field.
HASHED = ("em", "ph", "ge", "db", "ln", "fn", "ct", "st", "zp", "country", "external_id", "hashed_maids")
DIGEST = re.compile(r"[0-9a-f]{64}")
EMAIL_DIGEST = hashlib.sha256(EMAIL.lower().encode()).hexdigest()
#: Every outcome of an event must occur, or the test would prove less than it says.
EXITS = {"accepted", "refused", "unmatched", "withheld", "enqueued", "duplicate", "invalid"}
PAGES = (
    "/console", "/console?part=live", "/console/deliveries", "/console/mappings", "/console/tester",
    "/console/deliveries/redrive",
    "/console/activity", "/console/inventory", "/console/tail", "/console/deliveries/dismiss",
    "/api/v1/deliveries/causes", "/readyz",
    "/console/deliveries?state=pending", "/console/deliveries?state=claimed", "/console/deliveries?state=dead",
    "/metrics", "/api/v1/events/not-sent?limit=500", "/healthz", "/openapi.json",
    "/api/v1/status", "/api/v1/deliveries?limit=500",
)  # fmt: skip


class Haystack:
    """All that a server shows or leaves behind, by where it was found."""

    def __init__(self, client: httpx.Client, folder: Path, outbox_url: str) -> None:
        self._client = client
        self._folder = folder
        self._outbox_url = outbox_url

    def deliveries(self) -> list[dict[str, Any]]:
        """Every delivery with its history and its payload."""
        listed = self._client.get("/api/v1/deliveries?limit=500").json()["deliveries"]
        return [self._client.get(f"/api/v1/deliveries/{each['delivery_id']}").json() for each in listed]

    def look(self) -> dict[str, bytes]:
        """Read everything there is now: pages and answers first, then the files that they may have changed."""
        found = {address: self._page(address) for address in (*PAGES, *self._addresses())}
        files = [path for path in self._folder.rglob("*") if path.is_file()]
        found |= {str(path.relative_to(self._folder)): bytes_of(path) for path in files}
        return found | (tables(self._outbox_url) if self._outbox_url.startswith("postgres") else {})

    def _addresses(self) -> Iterator[str]:
        for each in self.deliveries():
            yield f"/console/delivery?id={each['delivery_id']}"
            yield f"/api/v1/deliveries/{each['delivery_id']}"
        for event in events():
            if isinstance(event, dict):
                yield f"/console/message?id={_quoted(event)}"
                yield f"/api/v1/messages/{_quoted(event)}"

    def _page(self, address: str) -> bytes:
        answer = self._client.get(address)
        assert answer.status_code == httpx.codes.OK, f"{address}: {answer.status_code}"
        return answer.content


def _quoted(event: dict[str, Any]) -> str:
    """Return an event's message id as it stands in a URL."""
    return quote(event["messageId"], safe="")


def tables(url: str) -> dict[str, bytes]:
    """Every row of every table of a database, by table."""
    found = {}
    with psycopg.connect(url) as connection:
        listed = connection.execute(
            "SELECT schemaname, tablename FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema')"
        ).fetchall()
        for name in listed:
            rows = connection.execute(sql.SQL("SELECT * FROM {}").format(sql.Identifier(*name))).fetchall()
            values = (value if isinstance(value, bytes) else str(value).encode() for row in rows for value in row)
            found[f"table {'.'.join(name)}"] = b"\n".join(values)
    return found


def leaks(found: dict[str, bytes]) -> list[tuple[str, str]]:
    """Every planted value in any of its forms, and where it stands."""
    lowered = {where: content.lower() for where, content in found.items()}
    return [
        (where, value)
        for value in PLANTED
        for its_forms in [forms(value)]
        for where, content in lowered.items()
        if any(form in content for form in its_forms)
    ]


def post_everything(client: httpx.Client) -> dict[str, bytes]:
    """Send the events by every door, broken requests and strange addresses too; answer all that senders are told."""
    page = {"origin": str(client.base_url)}  # somebody watches, looks the person up, and types who it is
    assert client.post("/console/tail", data={"minutes": "15"}, headers=page).status_code == httpx.codes.SEE_OTHER
    receipt = client.post("/webhook", params={"email": EMAIL}, json=events())
    assert set(receipt.json()["counts"]) == EXITS, receipt.text
    assert "Open in tester" in client.get("/console/tail").text
    batch = {"batch": [event for event in events() if isinstance(event, dict)], "writeKey": EMAIL}
    told = [
        receipt,
        client.post("/v1/batch", json=batch, auth=(EMAIL, PHONE)),
        client.post("/webhook", content=f'{{"email": "{EMAIL}", "phone": {PHONE}'),
        client.post("/webhook", content="[" * 200 + f'"{EMAIL}"' + "]" * 200),
        client.get(f"/webhook/{EMAIL}", params={"phone": PHONE}),
        *(
            client.post("/console/people", data={"by": "contact", "whom": whom}, headers=page)
            for whom in (EMAIL, PHONE)
        ),
        client.post("/console/people", data={"by": "user_id", "whom": EXTERNAL_ID}, headers=page),
    ]
    assert all("values are digests" in answer.text for answer in told[-3:]), "the person is found and shown"
    looked_up = [
        *(client.post("/console/find", data={"text": text}, headers=page) for text in (EMAIL, PHONE)),
        *(client.post("/api/v1/find", json={"text": text}) for text in (EMAIL, PHONE)),
        client.post(
            "/api/v1/deliveries/dismiss", json={"message_id": EMAIL, "because": f"{EMAIL}, {PHONE} asked for it"}
        ),
    ]
    assert [answer.status_code for answer in looked_up] == [httpx.codes.OK] * len(looked_up)
    told += looked_up
    # What an operator mistypes is quoted to the operator; it must not stand anywhere else.
    client.get("/api/v1/deliveries", params={"limit": EMAIL})
    client.post("/api/v1/deliveries/redrive", json={"reason": PHONE, EMAIL: True})
    return {f"{place} ({answer.status_code})": answer.content for place, answer in enumerate(told)}


def digests(deliveries: list[dict[str, Any]]) -> Iterator[tuple[str, Any]]:
    """Every value of a hashed field in the stored payloads."""
    for each in deliveries:
        user_data = json.loads(each["payload"])["user_data"]
        yield from ((name, value) for name in HASHED for value in user_data.get(name, ()))


def test_planted_values_are_nowhere(
    outbox_url: str,
    pinterest: Pinterest,
    start_server: Callable[..., Server],
    tmp_path: Path,
    record_figure: Callable[[str, object], None],
) -> None:
    settings = {**pinterest.settings, "outbox_url": outbox_url, "log_level": "debug", "retry_base_s": 0.1}
    settings |= {"remember_days": 90, "remember_secret": "a secret of the installation, long"}
    server = start_server(**settings, consent_categories="Advertising", batch_max_events=4, max_calls_in_flight=1)
    with httpx.Client(base_url=server.url, **PLAIN, timeout=30) as client:
        found = _everything_there_ever_was(server, client, Haystack(client, tmp_path, outbox_url), pinterest)
    assert leaks(found) == []
    looked_at = sum(map(len, found.values()))
    record_figure(
        f"planted values, {outbox_url.partition(':')[0]}", f"{len(PLANTED)} values, {looked_at / 1e6:.1f} MB, 0 hits"
    )


def _everything_there_ever_was(
    server: Server, client: httpx.Client, haystack: Haystack, pinterest: Pinterest
) -> dict[str, bytes]:
    """Post everything and look while it waits, while it is sent and when it is settled."""
    client.post("/api/v1/switch", json={"on": False}).raise_for_status()
    found = _named("answers", post_everything(client))
    pending = haystack.look()
    assert EMAIL_DIGEST.encode() in b"".join(pending[name] for name in pending if not name.startswith("/"))
    asked = {event["messageId"]: client.get(f"/api/v1/messages/{_quoted(event)}").json() for event in ids()}
    assert [message_id for message_id, found in asked.items() if not found["deliveries"]] == []
    sent = list(digests(haystack.deliveries()))
    assert {name for name, _ in sent} == set(HASHED)
    assert [(name, value) for name, value in sent if not DIGEST.fullmatch(value)] == []

    pinterest.misbehave(
        {"status": 503, "body": f'{{"code": 1, "message": "{EMAIL} and {PHONE} are busy"}}', "delay_s": 3},
        {"reject": "^reject-", "times": None},
    )
    client.post("/api/v1/switch", json={"on": True}).raise_for_status()
    until(lambda: delivery(server)["claimed"], 30)
    claimed = haystack.look()
    until_settled(server)
    settled = haystack.look()
    states = [(each["state"], len(each["history"])) for each in haystack.deliveries()]
    assert {state for state, _ in states} == {"delivered", "dead"}
    assert max(attempts for _, attempts in states) > 1
    return found | _named("pending", pending) | _named("claimed", claimed) | _named("settled", settled)


def _named(stage: str, found: dict[str, bytes]) -> dict[str, bytes]:
    return {f"{stage}: {where}": content for where, content in found.items()}


@every_row("value", PLANTED)
def test_a_value_that_stood_somewhere_would_be_found(value: str) -> None:
    written = {"upper.json": f'"{value.upper()}"'.encode(), "log": httpx.URL("http://x", params={"q": value}).query}
    assert set(leaks(written)) >= {("upper.json", value), ("log", value)}
