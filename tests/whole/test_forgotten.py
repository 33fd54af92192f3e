"""Whoever asks to be forgotten is in no file and no table any more: searched for by every digest and keyed id."""

import hashlib
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import httpx
import pytest

from app.identity import IdKeys
from tests.disks import bytes_of
from tests.process import PLAIN, Server, run_command
from tests.waiting import until
from tests.whole.conftest import Pinterest, is_settled
from tests.whole.test_planted_values import tables

SECRET: Final = "a secret of the installation, long"
SEALS: Final = "a key of the quarantine, long enough"
KEYS: Final = IdKeys(SECRET.encode())
AGENT: Final = "Mozilla/5.0 (X11; Linux x86_64) Gecko/{} Firefox/140.0"
#: Twice each, by the console once: then there is nobody to be asked for.
AUDITED: Final = 7
#: Who is erased, each in another way; the last one stays.
PEOPLE: Final = ("ayse", "bela", "cora", "dora", "stays")


def maid(name: str) -> str:
    return f"{hashlib.md5(name.encode(), usedforsecurity=False).hexdigest()}"


def person(name: str) -> dict[str, Any]:
    """What an event may say of a person, like nobody else's."""
    number = PEOPLE.index(name)
    return {
        "email": f"{name}@shop.example",
        "phone": f"+4915123456{number}00",
        "firstName": f"First{name}",
        "lastName": f"Last{name}",
        "birthday": f"19{60 + number}-04-17",
        "address": {"city": f"City{name}", "postalCode": f"{number}4107", "state": "CA", "country": "US"},
    }


def needles(name: str) -> dict[str, str]:
    """All that is kept of a person, in the form in which it is kept."""
    told, number = person(name), PEOPLE.index(name)
    values = {
        "em": told["email"],
        "ph": told["phone"].lstrip("+"),
        "fn": told["firstName"].lower(),
        "ln": told["lastName"].lower(),
        "db": told["birthday"].replace("-", ""),
        "ct": told["address"]["city"].lower(),
        "zp": told["address"]["postalCode"],
        "external_id": f"{name}-2",
        "device": _uuid(maid(name)),
    }
    found = {group: hashlib.sha256(value.encode()).hexdigest() for group, value in values.items()}
    found |= {"half of em": found["em"][:32], "click": f"dj0yJnU9{name}JnA9MQ", "address": f"203.0.{number}.7"}
    found |= {f"user {n}": KEYS.user(f"{name}-{n}") or "" for n in (1, 2)}
    return found | {"browser": KEYS.anonymous(f"x-{name}") or "", "agent": AGENT.format(name)}


def _uuid(text: str) -> str:
    return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))


def events(name: str, kind: str) -> list[dict[str, Any]]:
    """What a person does, and an order that becomes what `kind` says."""
    device = {"adTrackingEnabled": True, "advertisingId": _uuid(maid(name)), "type": "android"}
    page = {"url": f"https://shop.example/?epik={needles(name)['click']}"}
    context = {"ip": needles(name)["address"], "userAgent": AGENT.format(name)}
    one = {"userId": f"{name}-1", "anonymousId": f"x-{name}", "timestamp": time.time()}
    two = one | {"userId": f"{name}-2"}
    order = {"order_id": f"{kind}-{name}", "checkout_id": f"c-{kind}-{name}", "revenue": 10, "currency": "EUR"}
    told = {"traits": person(name), "context": context | {"device": device}}
    return [
        {"type": "page", "messageId": f"{kind}-p-{name}", **one, "userId": None, "context": context | {"page": page}},
        {"type": "identify", "messageId": f"{kind}-i-{name}", **one, **told},
        {"type": "alias", "messageId": f"{kind}-a-{name}", **two, "previousId": f"{name}-1"},
        {
            "type": "track",
            "event": "Order Completed",
            "messageId": f"{kind}-{name}",
            **two,
            "context": context | {"traits": person(name), "device": device},
            "properties": order,
        },
        {"type": "track", "event": "Not Mapped Yet", "messageId": f"{kind}-q-{name}", **one, **told, "properties": {}},
    ]


def there(everything: bytes, name: str) -> set[str]:
    """What of a person is found anywhere."""
    return {kind for kind, text in needles(name).items() if text.lower().encode() in everything}


@pytest.fixture
def look(outbox_url: str, tmp_path: Path, request: pytest.FixtureRequest) -> Callable[..., bytes]:
    """`look()` reads all files that the server wrote, or all tables; `look(files=True)` a database's files as well.

    In small letters: each look takes a second, so what is asked of one moment is asked of one look.
    """

    def read(*, files: bool = False) -> bytes:
        mine = [path for path in tmp_path.rglob("*") if path.is_file() and path.name != "sandbox.ndjson"]
        found = {path.name: bytes_of(path) for path in mine}
        if outbox_url.startswith("postgres"):
            server = request.getfixturevalue("postgres_server")
            found |= tables(outbox_url)
            if files:
                database = outbox_url.rpartition("/")[2]
                server.execute("VACUUM FULL", database)
                server.execute("CHECKPOINT")
                found |= server.files(database)
        return b"\n".join(found.values()).lower()

    return read


@pytest.fixture
def shop(outbox_url: str, pinterest: Pinterest, start_server: Callable[..., Server]) -> Server:
    """A server to which everybody has been, with deliveries that were sent, refused and wait."""
    settings = {
        **pinterest.settings,
        "outbox_url": outbox_url,
        "retention_days": "payload:1",
        "write_keys": "shop:a-public-key",
    }
    settings |= {"quarantine_hours": 24, "quarantine_key": SEALS, "quarantine_names": "Not Mapped Yet"}
    settings |= {"webhook_header": "x-proof: a-secret-of-the-server", "console_users": "ada:operator:token-of-ada-long"}
    server = start_server(**settings, remember_days=90, remember_secret=SECRET, retry_base_s=0.1)
    pinterest.misbehave({"reject": "^dead-", "times": None})
    for kind in ("sent", "dead"):
        post_trusted(server, [event for name in PEOPLE for event in events(name, kind)])
    with client(server) as http:
        until(lambda: is_settled(server), 60, "everything is settled")
        http.post("/api/v1/switch", json={"on": False}).raise_for_status()
    post_trusted(server, [event for name in PEOPLE for event in events(name, "waits")])
    return server


def post_trusted(server: Server, some: list[dict[str, Any]]) -> dict[str, Any]:
    answer = httpx.post(f"{server.url}/webhook", json=some, headers={"x-proof": "a-secret-of-the-server"}, **PLAIN)
    assert answer.status_code == 200, answer.text
    receipt: dict[str, Any] = answer.json()
    return receipt


def client(server: Server) -> httpx.Client:
    headers = {"authorization": "Bearer token-of-ada-long", "origin": server.url}
    return httpx.Client(base_url=server.url, headers=headers, timeout=30, **PLAIN)


def by_command(server: Server, name: str) -> int:
    done = run_command("forget", "--user-id", f"{name}-2", "--json", environment=server.environment)
    ids = int(re.findall(r'"ids": ?(\d+)', done.stdout)[0])
    assert done.returncode == (0 if ids else 1), done.stderr
    return ids


def by_interface(server: Server, name: str) -> int:
    with client(server) as http:
        done = http.post("/api/v1/forget", json={"user_id": f"{name}-1"})
        ids: int = done.json().get("ids", 0)
        assert done.status_code == (200 if ids else 404)
        return ids


def by_console(server: Server, name: str) -> int:
    with client(server) as http:
        page = http.post("/console/people", data={"by": "contact", "whom": person(name)["email"]}).text
        key = re.findall(r'name="key" value="(\w+)"', page)
        if not key:
            return 0
        done = http.post("/console/people/forget", data={"key": key[0], "confirmed": "yes"})
        return int(re.findall(r"ids=(\d+)", done.headers["location"])[0])


def by_event(server: Server, name: str) -> int:
    delete = {"type": "delete", "userId": f"{name}-2", "messageId": f"delete-{time.time()}"}
    (receipt,) = post_trusted(server, [delete])["events"]
    erased: int = receipt["to_memory"]["erased"]
    return erased


def test_whoever_is_forgotten_is_nowhere_any_more(shop: Server, look: Callable[..., bytes]) -> None:
    def is_vacuumed() -> bool:
        everything = look(files=True)
        return not any(there(everything, name) for name in PEOPLE if name != "stays")

    with client(shop) as http:
        assert "Not Mapped Yet" in http.get("/console/quarantine").text
    before = look()
    kept = set(needles("stays"))
    assert {name: there(before, name) & kept for name in PEOPLE} == dict.fromkeys(PEOPLE, kept)
    for name, forget in zip(PEOPLE, (by_command, by_interface, by_console, by_event), strict=False):
        assert forget(shop, name) == 3
        assert there(look(), name) == set(), name
        assert forget(shop, name) == 0
    assert there(look(files=True), "stays") >= kept
    # What a statement that is still under way could see, a vacuum leaves for the next one.
    until(is_vacuumed, 60, "all is vacuumed")
    with client(shop) as http:
        assert http.get("/console/activity").text.count("forgot a person") == AUDITED
