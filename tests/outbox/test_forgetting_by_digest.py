"""Who asks to be forgotten where memory knows nobody: by digests, and never said to be done where something stays."""

import hashlib
import sqlite3
from collections.abc import Callable
from contextlib import AbstractContextManager, closing
from pathlib import Path
from random import Random
from typing import Any

import psycopg
import pytest

from app import assemble
from app.core.deliveries import NewDelivery
from app.core.people import NamedPerson
from app.outbox import Outbox, open_outbox
from app.source import Intake
from tests import assembled
from tests.disks import bytes_of
from tests.identity.journeys import SETTINGS
from tests.outbox.build import DAY_S, NOW, At, new, payload, rules
from tests.outbox.orders import page, shop
from tests.rounds import examples
from tests.whole.test_planted_values import tables

pytestmark = pytest.mark.prove

EmptyStore = Callable[[], AbstractContextManager[str]]


def sha(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def order(name: str, chance: Random) -> NewDelivery:
    """An order of somebody, who may be named by an id, by an address, by both; and who has a digest of nobody else."""
    user_data: dict[str, Any] = {"em": [sha(f"{name}@shop.example")]}
    buyer: tuple[str, ...] = (user_data["em"][0],)
    kind = chance.choice(["both", "both", "id", "address"])
    if kind != "address":
        user_data["external_id"] = [sha(name)]
    if kind == "id":
        del user_data["em"]
        buyer = ()
    number = chance.getrandbits(60)
    return new(
        order_id=f"{name}-{number}",
        buyer=buyer,
        amount="9.99",
        currency="EUR",
        payload=payload(**user_data).replace(b'"em": ["' + b"0" * 64 + b'"], ', b""),
    )


def everything(url: str) -> bytes:
    if url.startswith("postgres"):
        return b"\n".join(tables(url).values())
    file = Path(url.removeprefix("sqlite:///"))
    return b"\n".join(bytes_of(each) for each in file.parent.glob(f"{file.name}*"))


def known_of_keys(url: str) -> list[str | None]:
    """Return the column `known` of all dedup keys."""
    query = "SELECT known FROM dedup_key"
    if url.startswith("postgres"):
        with psycopg.connect(url) as connection:
            return [known for (known,) in connection.execute(query)]
    with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as file:
        return [known for (known,) in file.execute(query)]


async def kept(outbox: Outbox, digests: list[str]) -> list[str]:
    """The messages that hold one of some digests."""
    messages: list[str] = []
    after: int | None = 0
    while after is not None:
        found = await outbox.kept_of(digests, after=after)
        messages, after = messages + found.messages, found.after
    return messages


def named(user_id: str | None = None, email: str | None = None) -> NamedPerson:
    return NamedPerson(user_id=user_id, emails=(email,) if email else ())


def needles(name: str) -> set[bytes]:
    return {sha(name).encode(), sha(f"{name}@shop.example")[:32].encode()}


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(examples(4)))
async def test_where_it_says_that_nothing_stays_nothing_is_there(
    empty_store: EmptyStore, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    chance = Random(seed)
    monkeypatch.setattr("app.outbox.people.DELIVERIES_AT_ONCE", chance.choice([2, 5_000]))
    for given in ({"user_id": "Ann"}, {"email": " ANN@shop.example"}, {"user_id": "Ann", "email": "ann@shop.example"}):
        with empty_store() as url:
            outbox = open_outbox(url, rules(payload_s=chance.choice([0, DAY_S])), clock=lambda: NOW)
            try:
                at = At(outbox)
                people = ["bob", *chance.choices(["ann", "bob"], k=chance.randint(0, 6))]
                await at.enqueue(*(order(name, chance) for name in people))
                claimed = await at.claim(chance.randint(1, 8))
                half = chance.randint(0, len(claimed))
                await at.deliver(*claimed[:half])
                await at.kill(*claimed[half:])
                forgetting = assemble.forgetting(assembled.settings(), outbox)
                bobs = [sha("bob"), sha("bob@shop.example")]
                before = await kept(outbox, bobs)
                done = await forgetting.forget(named(**given), now=NOW)
                after = everything(url)
                assert await kept(outbox, bobs) == before
                left = {each for each in needles("ann") if each in after}
                asked = needles("ann") if "user_id" in given and "email" in given else set()
                asked |= {sha("ann").encode()} if "user_id" in given else {sha("ann@shop.example")[:32].encode()}
                assert not left & asked - ({sha("ann@shop.example")[:32].encode()} if done.stays else set())
                if not done.stays and "user_id" in given:
                    assert left == set()
                if "email" in given:
                    assert done.stays == ""
                again = await forgetting.forget(named(**given), now=NOW)
                assert (again.ids, again.messages, again.stays) == (0, 0, done.stays)
            finally:
                await outbox.close()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("keeps_payloads", "email", "stays"),
    [(True, False, False), (False, False, True), (True, True, False), (False, True, False)],
)
async def test_a_delivered_order_of_a_person_is_erased_or_it_is_said_that_it_stays(
    empty_store: EmptyStore,
    *,
    keeps_payloads: bool,
    email: bool,
    stays: bool,
) -> None:
    """Without memory, the digest of the address stayed in kept payloads, and `pinrelay forget` printed 0."""
    with empty_store() as url:
        outbox = open_outbox(url, rules(payload_s=30 * DAY_S if keeps_payloads else 0), clock=lambda: NOW)
        try:
            at = At(outbox)
            user_data = {"em": [sha("ann@shop.example")], "external_id": [sha("ann")]}
            body = payload(**user_data)
            await at.enqueue(new(order_id="7", buyer=(user_data["em"][0],), payload=body))
            await at.deliver(*await at.claim())
            forgetting = assemble.forgetting(assembled.settings(), outbox)
            done = await forgetting.forget(named("ann", "ann@shop.example" if email else None), now=NOW)
            assert bool(done.stays) == stays
            assert ("--email" in done.stays) == stays
            assert any(each in everything(url) for each in needles("ann")) == stays
        finally:
            await outbox.close()


@pytest.mark.slow
async def test_what_is_kept_under_keyed_ids_is_named_where_no_secret_finds_it(
    empty_store: EmptyStore,
) -> None:
    with empty_store() as url:
        outbox = open_outbox(url, assembled.settings(**SETTINGS), clock=lambda: NOW)
        try:
            pipeline = assemble.pipeline(assembled.settings(**SETTINGS), assembled.shipped_catalog(), outbox=outbox)
            traits = {"email": "ann@shop.example"}
            identify = {"type": "identify", "messageId": "i", "userId": "ann", "traits": traits, "timestamp": NOW}
            await pipeline.accept(Intake([identify], now=NOW, is_trusted=True))
            told = await assemble.forgetting(assembled.settings(), outbox).forget(named("ann"), now=NOW)
            assert "REMEMBER_SECRET" in told.stays
            told = await assemble.forgetting(assembled.settings(**SETTINGS), outbox).forget(named("ann"), now=NOW)
            assert (told.ids, told.stays) == (1, "")
        finally:
            await outbox.close()


@pytest.mark.slow
@pytest.mark.parametrize("has_contact", [True, False])
@pytest.mark.parametrize("is_merged", [True, False])
async def test_an_erased_delivered_order_of_a_shop_leaves_only_erased_keys(
    empty_store: EmptyStore, *, has_contact: bool, is_merged: bool
) -> None:
    """PostgreSQL stores neither shop nor token of a delivered order; both are in the digests of its keys."""
    with empty_store() as url:
        outbox = open_outbox(url, rules(payload_s=DAY_S), clock=lambda: NOW)
        try:
            at = At(outbox)
            email = "a" * 64  # as in the payload of `shop`
            mine: dict[str, Any] = {"shop": "north", "token": "t-1", "buyer": (email,) if has_contact else ()}
            await at.enqueue(*[page(token="t-1", shop="north")] if is_merged else [])
            await at.enqueue(shop(**(mine if is_merged else mine | {"wait_s": 0.0})))
            await at.deliver(*await at.claim())
            forgetting = assemble.forgetting(assembled.settings(), outbox)
            assert (await forgetting.forget(NamedPerson(digests=(email,)), now=NOW)).messages >= 1
            kept_keys = known_of_keys(url)
            assert len(kept_keys) > 2
            assert {known is not None and known.startswith('{"erased":') for known in kept_keys} == {True}
            assert email[:16].encode() not in everything(url)
            resent = shop(**mine, event_id="shop-2")
            other = shop(event_id="other-1", shop="south")
            plain = shop(event_id="other-2")
            outcomes = [[each.outcome.value for each in await at.enqueue(each)] for each in (resent, other, plain)]
            assert outcomes == [["withheld"], ["enqueued"], ["enqueued"]], "another shop has its own order SO-1"
        finally:
            await outbox.close()
