"""A person is planted in every place where a store can keep one, erased by each name, and looked for everywhere."""

import hashlib
from itertools import product
from pathlib import Path
from typing import Any, Final

import pytest
from msgspec.structs import replace

from app import assemble
from app.access.audit import Audit
from app.core.consent import Answer
from app.core.people import NamedPerson
from app.core.shared_values import STORE_SECRET
from app.identity import IdKeys
from app.outbox import Outbox, open_outbox
from app.source import Intake
from tests import assembled
from tests.disks import bytes_of
from tests.outbox.build import NOW, At
from tests.outbox.new_store import new_store
from tests.outbox.postgres_server import PostgresServer
from tests.whole.test_planted_values import tables

QUARANTINE: Final[dict[str, Any]] = {
    "quarantine_hours": 24,
    "quarantine_key": "a key of the quarantine, long enough",
    "quarantine_names": ("Not Mapped Yet",),
}
MEMORY: Final[dict[str, Any]] = {"remember_days": 90, "remember_secret": "a secret of the installation, long"}
#: With memory and quarantine, with neither: the secret of the ids is then the store's own.
KEEPING: Final = {"nothing but deliveries": {}, "memory and quarantine": {**MEMORY, **QUARANTINE}}
NAMES: Final = {
    "user id": NamedPerson(user_id="ann"),
    "anonymous id": NamedPerson(anonymous_id="x-ann"),
    "e-mail": NamedPerson(emails=(" ANN@shop.example",)),
    "phone": NamedPerson(phones=("+49 151 23456700",)),
    "order": NamedPerson(order_ids=("ann-sent",)),
}


#: PostgreSQL has the same rules, and takes seconds for each.
CASES: Final = list(product(NAMES, KEEPING))
FEW: Final = (("user id", "memory and quarantine"), ("phone", "nothing but deliveries"))


def sha(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def digits(name: str) -> str:
    return "4915123456700" if name == "ann" else "4915123456711"


def needles(name: str, keys: IdKeys) -> dict[str, str]:
    """All by which a person could be found: each id, digest and plain value."""
    email = f"{name}@shop.example"
    return {
        "e-mail": email,
        "digest of it": sha(email)[:16],
        "phone": digits(name),
        "digest of that": sha(digits(name))[:16],
        "first name": sha(f"first{name}"),
        "external id": sha(name),
        "key of user": (keys.user(name) or "")[:16],
        "key of browser": (keys.anonymous(f"x-{name}") or "")[:16],
        "address": "203.0.113.7" if name == "ann" else "203.0.113.8",
        "agent": f"Mozilla/5.0 ({name})",
        "click": f"dj0yJnU9{name}JnA9MQ",
    }


def events(name: str, kind: str) -> list[dict[str, Any]]:
    page = {"url": f"https://shop.example/?epik=dj0yJnU9{name}JnA9MQ"}
    address = "203.0.113.7" if name == "ann" else "203.0.113.8"
    traits = {"email": f"{name}@shop.example", "phone": f"+{digits(name)}", "firstName": f"First{name}"}
    context = {"ip": address, "userAgent": f"Mozilla/5.0 ({name})", "page": page, "traits": traits}
    of_both = {"userId": name, "anonymousId": f"x-{name}", "timestamp": NOW, "context": context}
    order = {"order_id": f"{name}-{kind}", "revenue": 10, "currency": "EUR"}
    bad = {"order_id": f"{name}-bad-{kind}", "revenue": -10, "currency": "EUR"}
    return [
        {"type": "identify", "messageId": f"{name}-i-{kind}", "traits": traits, **of_both},
        {"type": "page", "messageId": f"{name}-p-{kind}", **of_both},
        {"type": "track", "event": "Order Completed", "messageId": f"{name}-o-{kind}", "properties": order, **of_both},
        {"type": "track", "event": "Order Completed", "messageId": f"{name}-b-{kind}", "properties": bad, **of_both},
        {"type": "track", "event": "Not Mapped Yet", "messageId": f"{name}-q-{kind}", **of_both},
    ]


async def planted(settings: Any, outbox: Outbox) -> None:
    """Bring two people to every place: deliveries in each state, dropped events, quarantine, memory."""
    pipeline = assemble.pipeline(
        settings, assembled.shipped_catalog(), outbox=outbox, quarantine=assemble.quarantine(settings, outbox)
    )
    at = At(outbox)
    account = {"lease_s": 60, "limit": 1_000, "max_bytes": 10**9, "max_wait_s": 0, "now": NOW}
    for kind in ("sent", "dead", "claimed", "waits"):
        some = [event for name in ("ann", "bob") for event in events(name, kind)]
        receipt = await pipeline.accept(Intake(some, now=NOW, source="shop", is_trusted=True))
        (ad_account_id,) = {line.ad_account_id for event in receipt.events for line in event.deliveries} - {""}
        claimed = [] if kind == "waits" else await outbox.claim(ad_account_id, **account)  # type: ignore[arg-type]
        await at.deliver(*(claimed if kind == "sent" else ()))
        await at.kill(*(claimed if kind == "dead" else ()))
    acts = assemble.forget_acts(settings, outbox, Audit(outbox, lambda: NOW), nothing)
    keys = IdKeys(await acts.secret())
    for name in ("ann", "bob"):
        named = NamedPerson(user_id=name, emails=(f"{name}@shop.example",), wish="access")
        await acts.erase_named([("asked", named)], source="shop", again=(), now=NOW)
        user, browser = (str(key)[:16] for key in (keys.user(name), keys.anonymous(f"x-{name}")))
        yes = Answer(key=user, author=browser, user=user, is_trusted=False, is_opt_out=False, at=NOW)
        await outbox.write_consents([yes, replace(yes, key=sha(f"{name}@shop.example")[:16])])


async def nothing() -> None:
    """No tail is to be emptied."""


def everything(url: str, server: PostgresServer | None) -> bytes:
    """All tables and, once they are vacuumed, files of tables and indexes; all files of SQLite, WAL included."""
    if server is None:
        file = Path(url.removeprefix("sqlite:///"))
        return b"\n".join(bytes_of(each) for each in file.parent.glob(f"{file.name}*")).lower()
    database = url.rpartition("/")[2]
    server.execute("VACUUM FULL", database)
    server.execute("CHECKPOINT")
    return b"\n".join([*tables(url).values(), *server.files(database).values()]).lower()


@pytest.mark.slow
@pytest.mark.parametrize(("name", "keeping"), CASES)
async def test_a_person_is_nowhere_any_more_by_whichever_name(tmp_path: Path, keeping: str, name: str) -> None:
    await erased(new_store(tmp_path, "o.db"), None, keeping, name)


@pytest.mark.whole
@pytest.mark.parametrize(("name", "keeping"), FEW)
async def test_nor_on_postgresql(postgres_url: str, postgres_server: PostgresServer, keeping: str, name: str) -> None:
    await erased(postgres_url, postgres_server, keeping, name)


async def erased(outbox_url: str, server: PostgresServer | None, keeping: str, name: str) -> None:
    """Plant ann and bob, erase ann, and look for both."""
    settings = assembled.settings(outbox_url=outbox_url, retention_days="payload:1", **KEEPING[keeping])
    outbox = open_outbox(outbox_url, settings, clock=lambda: NOW)
    await planted(settings, outbox)
    given = settings.remember_secret.get_secret_value() if settings.remember_secret else None
    keys = IdKeys((given or await STORE_SECRET.read(outbox) or "").encode())

    async def found(who: str) -> set[str]:
        there = everything(outbox_url, server)
        return {kind for kind, text in needles(who, keys).items() if text.lower().encode() in there}

    before = {who: await found(who) for who in ("ann", "bob")}
    assert before["ann"] == before["bob"]
    assert before["ann"] >= {"digest of it", "digest of that", "external id", "key of user", "key of browser", "click"}
    told = [await assemble.forgetting(settings, outbox).forget(NAMES[name], now=NOW) for _ in range(2)]
    assert await found("ann") == set(), told
    assert await found("bob") == before["bob"]
    assert [each.stays for each in told] == ["", ""]
    assert told[0].erased["payloads"] >= 8, "sent, dead, claimed and waiting: a page and an order each"
    assert (told[1].ids, told[1].messages, told[1].erased) == (0, 0, {})
    left = {each.state.value for each in (await outbox.message("ann-o-sent")).deliveries}
    assert left == {"delivered"}, "the line of the ledger stays"
    assert not (await outbox.message("ann-o-waits")).deliveries
    await outbox.close()
