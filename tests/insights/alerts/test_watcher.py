"""Alerts without Prometheus: what holds is told once, and once when it clears, whatever goes wrong on the way."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from app.config import Settings
from app.core.deliveries import Rejected, Settlement, State
from app.core.events import CounterRow, EventKey, InventoryCount, Measure
from app.core.pages import AccountView, Backlog
from app.core.shared_values import (
    CLOCK_JUMPS,
    DESTINATION_SWITCH,
    FEED,
    OPEN_INCIDENTS,
    RETENTION_BEHIND,
    TROUBLE,
    ClockJump,
    ClockJumps,
    FeedState,
    SetAside,
    Switch,
    Trouble,
)
from app.core.values.times import iso_time
from app.errors import OutboxUnavailable
from app.insights.alerts.overall import Alert, Facts, conditions
from app.insights.alerts.watcher import Alerts, AlertWebhook, Conditions
from app.insights.incidents import begin, read_incidents
from app.outbox import Outbox, open_outbox
from app.sender.status import (
    AccountStatus,
    DeliveryProblem,
    all_delivery_problems,
    delivery_problems,
    problems_of_refused_rows,
)
from app.source.signatures import StandardWebhooksSignature, standard_signature
from tests import assembled
from tests.outbox.build import new, rules
from tests.process import PLAIN
from tests.rows import every_row
from tests.sender.claims import a_trouble
from tests.waiting import until_async

HOUR_S = 3_600
DAY_S = 24 * HOUR_S
#: A quarter past an hour.
NOW = 1_800_000_000.0 + 900
LAST_HOUR = 1_800_000_000 - HOUR_S
ACCOUNT = "549764106778"
ACCOUNTS = (AccountView(ad_account_id=ACCOUNT, live=True),)
BLOCK = TROUBLE.of(ACCOUNT)
RULES = Settings.model_construct(public_url="https://relay.example")
SECRET_PATH = "/services/s3cret"
REFUSED = SetAside(doing="claim", ad_account_id=ACCOUNT, why="CHECK failed", since=NOW, again_at=NOW)


# ---------------------------------------------------------------------------------------------------------------------
# The conditions


def facts(**changes: Any) -> Facts:
    """What is known of one ad account; a change of `name` gives it one."""
    standard: dict[str, Any] = {
        "name": "",
        "backlog": Backlog(),
        "problems": (),
        "hours": {},
        "rejected": {},
        "full": (),
    }
    given = standard | changes
    account = AccountView(ad_account_id=ACCOUNT, name=given["name"], live=True)
    died = {(ACCOUNT, hour_at): count for hour_at, count in given["rejected"].items()}
    found = AccountStatus(account=account, backlog=given["backlog"], problems=given["problems"])
    full = frozenset(given["full"])
    return Facts(now=NOW, accounts=[found], hours=given["hours"], rejected=died, memory_full=full)


def stands(trouble: Trouble, *, switched_off: bool = False) -> list[DeliveryProblem]:
    return delivery_problems(trouble, switched_off=switched_off, now=NOW)


def daily(counts: list[int], *, now: int) -> dict[int, dict[str, int]]:
    """Say how many were accepted in the last full hour, and in the same hour of each earlier day."""
    return {LAST_HOUR - day * DAY_S: {"accepted": count} for day, count in enumerate([now, *counts]) if count}


def warned(last: int, before: int, *, enqueued: int = 100, enqueued_before: int = 100) -> dict[int, dict[str, int]]:
    return {
        LAST_HOUR: {"warning": last, "enqueued": enqueued},
        LAST_HOUR - 5 * HOUR_S: {"warning": before, "enqueued": enqueued_before},
    }


@every_row(
    ("given", "expected"),
    [
        pytest.param(facts(), [], id="nothing happened yet"),
        pytest.param(facts(problems=stands(a_trouble())), ["blocked"], id="Pinterest refuses us"),
        pytest.param(facts(problems=stands(a_trouble(state="failing"))), ["failing"], id="Pinterest fails"),
        pytest.param(facts(problems=stands(a_trouble(state="refusing"))), ["refusing"], id="Pinterest refuses all"),
        pytest.param(facts(problems=stands(a_trouble(state="rate limited"))), ["rate limited"], id="too many calls"),
        pytest.param(
            facts(problems=stands(a_trouble(), switched_off=True)), ["blocked", "switched off"], id="two at once"
        ),
        pytest.param(
            facts(
                problems=problems_of_refused_rows({"delivery/1": REFUSED, "rows/x": replace(REFUSED, ad_account_id="")})
            ),
            ["set aside", "rows refused"],
            id="rows refused",
        ),
        pytest.param(facts(backlog=Backlog(pending=1, oldest_at=NOW - 3_600)), [], id="an hour is not late"),
        pytest.param(facts(backlog=Backlog(pending=1, oldest_at=NOW - 3_601)), ["backlog"], id="over an hour is late"),
        pytest.param(facts(backlog=Backlog(dead=9), rejected={LAST_HOUR: 1}), ["dead"], id="a new dead letter"),
        pytest.param(
            facts(backlog=Backlog(dead=9), rejected={LAST_HOUR + HOUR_S: 1}),
            ["dead"],
            id="a new dead letter in the hour that runs",
        ),
        pytest.param(facts(backlog=Backlog(dead=9), rejected={LAST_HOUR - HOUR_S: 1}), [], id="old dead letters"),
        pytest.param(facts(rejected={LAST_HOUR: 1}), [], id="dead letters that were redriven"),
        pytest.param(facts(hours=daily([100, 100, 100], now=49)), ["volume"], id="below half of what is usual"),
        pytest.param(facts(hours=daily([100, 100, 100], now=50)), [], id="half of what is usual"),
        pytest.param(facts(hours=daily([100, 100, 100], now=0)), ["volume"], id="nothing at all"),
        pytest.param(facts(hours=daily([100, 100], now=0)), [], id="two days are too few to say what is usual"),
        pytest.param(facts(hours=daily([19, 19, 19], now=0)), [], id="too few events to judge"),
        pytest.param(facts(hours=daily([9_000, 100, 100], now=60)), [], id="one odd day does not change what is usual"),
        pytest.param(facts(hours=daily([0, 0, 100], now=0)), [], id="days without events count as such"),
        pytest.param(facts(full={("", LAST_HOUR)}), ["memory"], id="no room for another mark"),
        pytest.param(facts(full={("", LAST_HOUR - HOUR_S)}), [], id="an hour before there was none"),
        pytest.param(facts(full={("tag", NOW // HOUR_S * HOUR_S)}), ["memory: tag"], id="a public key adds too much"),
        pytest.param(facts(hours=warned(20, 9)), ["warnings"], id="over twice the warnings of the day before"),
        pytest.param(facts(hours=warned(20, 10)), [], id="twice the warnings of the day before"),
        pytest.param(facts(hours=warned(19, 0)), [], id="too few warnings to judge"),
        pytest.param(facts(hours=warned(20, 0, enqueued=400)), [], id="one warning in twenty events"),
        pytest.param(facts(hours=warned(20, 0, enqueued_before=0)), [], id="no day before to compare with"),
    ],
)
def test_each_condition_is_told_from_its_threshold_on(given: Facts, expected: list[str]) -> None:
    assert [alert.key for alert in conditions(given)] == expected


def test_the_conditions_of_an_ad_account_with_a_name_say_whose_they_are() -> None:
    given = facts(
        name="US",
        problems=stands(a_trouble(reason="bad token")),
        backlog=Backlog(pending=1, oldest_at=NOW - 7_200),
        hours=daily([100, 100, 100], now=0),
    )
    blocked, late, volume = conditions(given)
    assert (blocked.key, late.key, volume.key) == ("US: blocked", "US: backlog", "volume")
    assert blocked.text.startswith("US: Pinterest refuses our calls")
    assert late.text.startswith("US: Deliveries are late")
    assert not volume.text.startswith("US")


def test_a_preset_that_is_switched_off_is_named_beside_what_is_late_and_told_once_for_all_ad_accounts() -> None:
    off = delivery_problems(None, switched_off=False, presets_off=["Lead"], now=NOW)
    late = Backlog(pending=1, oldest_at=NOW - 7_200)
    accounts = [account for name in ("US", "FR") for account in facts(name=name, problems=off, backlog=late).accounts]
    told = {alert.key: alert.text for alert in conditions(Facts(now=NOW, accounts=accounts, hours={}))}
    assert told.keys() == {"preset switched off", "US: backlog", "FR: backlog"}
    assert told["US: backlog"].endswith("has waited 2.0 hours. The preset Lead is switched off.")
    assert len(all_delivery_problems(accounts)) == 1


def test_a_clock_that_jumped_is_told_once_for_all_ad_accounts() -> None:
    jumped = delivery_problems(None, switched_off=False, jumps=[ClockJump(before=NOW - 7_200, after=NOW)], now=NOW)
    accounts = [account for name in ("US", "FR") for account in facts(name=name, problems=jumped).accounts]
    assert [alert.key for alert in conditions(Facts(now=NOW, accounts=accounts, hours={}))] == ["clock"]
    assert len(all_delivery_problems(accounts)) == 1


def test_a_text_says_what_it_is_and_what_to_do() -> None:
    (alert,) = conditions(facts(problems=stands(a_trouble(reason="bad token"))))
    assert alert.key == "blocked"
    assert alert.text.startswith("Pinterest refuses our calls: bad token. Answer 401, since 20")
    assert "`pinrelay verify` names what is wrong" in alert.text


# ---------------------------------------------------------------------------------------------------------------------
# Telling them


class Receiver:
    """A tiny HTTP server that keeps what it is told, and answers `status`."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        #: Of ALERT_FORMAT=json, with the headers of each.
        self.signed: list[tuple[dict[str, str], bytes]] = []
        self.status = 200
        self.port = 0

    @property
    def url(self) -> SecretStr:
        return SecretStr(f"http://127.0.0.1:{self.port}{SECRET_PATH}")

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        length = int(head.lower().split("content-length: ")[1].split("\r\n")[0])
        body = await reader.readexactly(length)
        self.texts.append(json.loads(body)["text"])
        self.signed.append((dict(line.split(": ", 1) for line in head.splitlines()[1:] if line), body))
        writer.write(f"HTTP/1.1 {self.status} X\r\ncontent-length: 0\r\nconnection: close\r\n\r\n".encode())
        await writer.drain()
        writer.close()


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    receiver = Receiver()
    server = await asyncio.start_server(receiver.answer, "127.0.0.1", 0)
    receiver.port = server.sockets[0].getsockname()[1]
    async with server:
        yield receiver


@pytest.fixture
async def outbox(tmp_path: Path) -> AsyncIterator[Outbox]:
    opened = open_outbox(f"sqlite:///{tmp_path}/outbox.db", rules())
    yield opened
    await opened.close()


def alerts(
    outbox: Any,
    url: SecretStr,
    accounts: Sequence[AccountView] | None = None,
    settings: Settings = RULES,
) -> Alerts:
    client = httpx.AsyncClient(**PLAIN)
    webhook = AlertWebhook(settings.model_copy(update={"alert_webhook_url": url}), client, clock=lambda: NOW)
    judging = Conditions(outbox, accounts=accounts or ACCOUNTS, settings=settings, clock=lambda: NOW)
    return Alerts(outbox, webhook, judging)


async def keep_open(outbox: Outbox, alert: Alert) -> None:
    """Record an incident that was posted an hour ago."""
    incident = replace(begin(alert, NOW - HOUR_S), told="firing")
    await OPEN_INCIDENTS.write(outbox, {incident.id: incident})


async def test_it_is_told_once_when_it_begins_and_once_when_it_clears(outbox: Outbox, receiver: Receiver) -> None:
    task = alerts(outbox, receiver.url)
    await task.look()
    assert receiver.texts == []

    await BLOCK.write(outbox, a_trouble(reason="bad token"))
    await task.look()
    await BLOCK.write(outbox, a_trouble(reason="bad token, still"))
    await task.look()
    assert len(receiver.texts) == 1
    assert receiver.texts[0].startswith("Pinrelay: Pinterest refuses our calls: bad token. ")

    await BLOCK.write(outbox, None)
    await task.look()
    await task.look()
    assert len(receiver.texts) == 2
    assert receiver.texts[1].startswith("Pinrelay: Cleared: Pinterest refuses our calls: bad token. ")


async def test_everything_that_keeps_delivery_from_being_well_is_read(outbox: Outbox, receiver: Receiver) -> None:
    await BLOCK.write(outbox, a_trouble(state="failing", reason="Pinterest could not be reached", status=None))
    await DESTINATION_SWITCH.write(outbox, Switch(on=False))
    await CLOCK_JUMPS.write(outbox, ClockJumps(jumps=(ClockJump(before=NOW - DAY_S, after=NOW - 5),)))
    await alerts(outbox, receiver.url).look()

    first, second, third = receiver.texts[0].splitlines()
    assert first.startswith("Pinrelay: Calls to Pinterest fail: Pinterest could not be reached. No answer, since ")
    assert second.startswith("Pinrelay: Sending is switched off. Matching events are kept")
    assert third.startswith("Pinrelay: The clock of this machine jumped forward by ")


async def test_retention_that_is_behind_is_told(outbox: Outbox, receiver: Receiver) -> None:
    await RETENTION_BEHIND.write(outbox, NOW - 130)
    await alerts(outbox, receiver.url).look()
    assert receiver.texts[0].startswith("Pinrelay: Retention has been behind for 2 min: data is kept past its time")
    await RETENTION_BEHIND.write(outbox, None)
    await alerts(outbox, receiver.url).look()
    assert receiver.texts[1].startswith("Pinrelay: Cleared: Retention")


@pytest.mark.parametrize(
    ("read_at", "stays"), [(1.0, "The ids of the last good reading stay in use"), (0.0, "No ids are known")]
)
async def test_a_feed_that_is_not_taken_up_is_told(
    outbox: Outbox, receiver: Receiver, read_at: float, stays: str
) -> None:
    await FEED.write(outbox, FeedState(read_at=read_at, why="it shrank from 100 items to 1", since=1.0))
    await alerts(outbox, receiver.url).look()
    assert receiver.texts == [
        f"Pinrelay: The product feed was not taken up: it shrank from 100 items to 1. {stays}; it is read again hourly."
    ]
    await FEED.write(outbox, FeedState(read_at=2.0))
    await alerts(outbox, receiver.url).look()
    assert receiver.texts[1].startswith("Pinrelay: Cleared: The product feed was not taken up")


@pytest.mark.parametrize(("orders", "is_told"), [(2, False), (3, True)])
async def test_orders_that_the_page_and_the_shop_sent_both_need_a_person(
    outbox: Outbox, receiver: Receiver, orders: int, *, is_told: bool
) -> None:
    warned = [
        CounterRow(name="warning", label="the page's order differs", preset=f"{number}") for number in range(orders)
    ]
    await outbox.enqueue([], [], warned, now=NOW - HOUR_S)
    await alerts(outbox, receiver.url).look()

    assert any("orders of the last day were sent twice" in text for text in receiver.texts) == is_told


async def test_only_one_of_several_processes_tells(outbox: Outbox, receiver: Receiver) -> None:
    await BLOCK.write(outbox, a_trouble(reason="bad token"))
    await asyncio.gather(*(alerts(outbox, receiver.url).look() for _ in range(5)))
    assert len(receiver.texts) == 1


async def test_counts_of_the_outbox_are_read(outbox: Outbox, receiver: Receiver) -> None:
    for day, count in enumerate([1, 50, 50, 50]):
        at = LAST_HOUR - day * DAY_S + 60.0
        await outbox.enqueue([], [], [CounterRow(name="accepted", count=count)] * 2, now=at)
    await alerts(outbox, receiver.url).look()
    assert receiver.texts == ["Pinrelay: Too few events: 2 in the last full hour, usually 100. Check the senders."]


async def test_what_is_told_of_one_name_is_read_from_the_inventory(outbox: Outbox, receiver: Receiver) -> None:
    key, lead = EventKey("shop", "track", "Order Completed"), EventKey("shop", "track", "Lead")
    for day in range(8, 0, -1):
        for hour in (0, 1):
            at = LAST_HOUR + hour * HOUR_S - day * DAY_S
            await outbox.inventory.add([InventoryCount(key, Measure.RECEIVED, "", 200)], now=at, max_names=9)
    new = [InventoryCount(lead, Measure.RECEIVED, "", 20)]
    await outbox.inventory.add(new, now=NOW, max_names=9)
    task = alerts(outbox, receiver.url)
    await task.look()
    await task.look()
    link = "https://relay.example/console/inventory/name?source=shop&amp;type=track&amp;name="
    ceased = f"Order Completed from shop has stopped: none for 23.2 hours, 250 expected. {link}Order+Completed"
    assert receiver.texts == [f"Pinrelay: {ceased}\nPinrelay: Lead from shop is new. {link}Lead"]
    await outbox.inventory.add([InventoryCount(key, Measure.RECEIVED, "", 400)], now=NOW, max_names=9)
    for _ in range(2):
        await task.look()
    assert receiver.texts[1:] == [f"Pinrelay: Cleared: {ceased}"]


async def test_of_an_inventory_that_was_switched_off_nobody_is_told_that_its_names_have_ceased(
    outbox: Outbox, receiver: Receiver
) -> None:
    for day in range(8, 0, -1):
        counts = [InventoryCount(EventKey("shop", "track", "Order Completed"), Measure.RECEIVED, "", 200)]
        await outbox.inventory.add(counts, now=LAST_HOUR - day * DAY_S, max_names=9)
    await alerts(outbox, receiver.url, settings=assembled.settings(inventory_names=0)).look()
    assert receiver.texts == []
    await alerts(outbox, receiver.url, settings=assembled.settings()).look()
    assert "The source shop is silent" in receiver.texts[0]


async def test_a_change_of_a_name_is_told_once_and_never_that_it_clears(outbox: Outbox, receiver: Receiver) -> None:
    await keep_open(
        outbox, Alert(key=": changed shop/track/Lead new name ", text="Lead from shop is new.", kind="changed")
    )
    await alerts(outbox, receiver.url).look()
    assert receiver.texts == []
    assert await OPEN_INCIDENTS.read(outbox) == {}


async def test_what_clears_is_told_of_an_ad_account_whose_name_begins_like_a_change(
    outbox: Outbox, receiver: Receiver
) -> None:
    await keep_open(outbox, Alert(key="changed: blocked", text="changed: Pinterest refuses our calls.", kind="blocked"))
    await alerts(outbox, receiver.url).look()
    assert receiver.texts == ["Pinrelay: Cleared: changed: Pinterest refuses our calls."]


async def test_dead_letters_that_grow_are_told_of_the_ad_account_whose_they_are(
    outbox: Outbox, receiver: Receiver
) -> None:
    accounts = [AccountView(ad_account_id=which, name=name, live=True) for which, name in (("1", "US"), ("2", "FR"))]
    for account in ("1", "2"):
        await outbox.enqueue([new(ad_account_id=account)], [], [], now=NOW)
        (claimed,) = await outbox.claim(account, limit=1, max_bytes=10_000, max_wait_s=0, lease_s=60, now=NOW)
        bad = Settlement(claimed=claimed, result=Rejected(reason="bad", status=422), state=State.DEAD)
        # that of the other died long ago
        at = LAST_HOUR if account == "2" else LAST_HOUR - DAY_S
        await outbox.settle([bad], [CounterRow(name="rejected", ad_account_id=account, count=3)], now=at)
    await alerts(outbox, receiver.url, accounts=accounts).look()
    assert receiver.texts == ["Pinrelay: FR: 3 new dead letters in the last hours. See 'pinrelay deliveries causes'."]


async def test_what_the_webhook_did_not_take_is_told_again(
    outbox: Outbox, receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    await BLOCK.write(outbox, a_trouble(reason="bad token"))
    task = alerts(outbox, receiver.url)
    receiver.status = 500
    await task.look()
    receiver.status = 200
    await task.look()
    await task.look()
    assert len(receiver.texts) == 2
    assert "s3cret" not in caplog.text


@pytest.mark.parametrize("address", ["http://127.0.0.1:1", "http://["], ids=["nobody listens", "no URL"])
async def test_a_webhook_that_cannot_be_reached_is_survived_and_its_url_never_printed(
    outbox: Outbox, address: str, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    await BLOCK.write(outbox, a_trouble(reason="bad token"))
    await alerts(outbox, SecretStr(address + SECRET_PATH)).look()
    printed = "".join(capsys.readouterr()) + caplog.text
    assert "alert not sent" in printed
    assert "s3cret" not in printed


class Disk:
    """An outbox on a disk that goes away and comes back."""

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox
        self.readable = True

    def __getattr__(self, name: str) -> Any:
        if not self.readable:
            raise OutboxUnavailable
        return getattr(self._outbox, name)


async def test_an_unreadable_outbox_is_told_at_the_second_look_and_once_when_it_is_back(
    outbox: Outbox, receiver: Receiver
) -> None:
    disk = Disk(outbox)
    task = alerts(disk, receiver.url)
    for readable in (False, True, False, False, False, True, True):
        disk.readable = readable
        await task.look()
    assert receiver.texts == [
        "Pinrelay: Events are refused with 503. The outbox cannot be used now. The log has the reason.",
        "Pinrelay: Cleared: Events are refused with 503. The outbox cannot be used now. The log has the reason.",
    ]


async def test_the_end_of_an_outage_whose_end_the_webhook_did_not_take_is_told_again(
    outbox: Outbox, receiver: Receiver
) -> None:
    disk, ended = Disk(outbox), "Pinrelay: Cleared: Events are refused with 503."
    task = alerts(disk, receiver.url)
    receiver.status = 500
    for readable in (False, False, True):
        disk.readable = readable
        await task.look()
    receiver.status = 200
    await task.look()
    await task.look()
    assert [text.startswith(ended) for text in receiver.texts] == [False, True, True]


SIGNING = "whsec_plJ3nmyCDGBKInavdOK15jslAAAAAAAA"
JSON = RULES.model_copy(update={"alert_format": "json", "alert_webhook_secret": SecretStr(SIGNING)})


async def test_an_incident_as_json_keeps_its_id_from_begin_to_end_and_is_signed(
    outbox: Outbox, receiver: Receiver
) -> None:
    task = alerts(outbox, receiver.url, settings=JSON)
    await BLOCK.write(outbox, a_trouble(reason="bad <token>"))
    receiver.status = 500
    await task.look()
    receiver.status = 200
    await task.look()
    await BLOCK.write(outbox, None)
    await task.look()
    await task.look()
    bodies = [json.loads(body) for _, body in receiver.signed]
    assert [each["state"] for each in bodies] == ["firing", "firing", "resolved"]
    (incident,) = await read_incidents(outbox, since=0, now=NOW)
    assert {each["id"] for each in bodies} == {incident.id}
    assert bodies[-1] | {"text": ""} == {
        "type": "incident.resolved",
        "id": incident.id,
        "state": "resolved",
        "kind": "blocked",
        "severity": "critical",
        "text": "",
        "account": ACCOUNT,
        "source": None,
        "since": iso_time(incident.since),
        "until": iso_time(NOW),
        "events": 0,
        "money": {},
        "link": "https://relay.example/console#part-incidents",
    }
    assert bodies[0]["text"].startswith("Pinterest refuses our calls: bad <token>. ")
    proof = StandardWebhooksSignature(secrets=(SIGNING.encode(),), tolerance_s=1)
    for headers, body in receiver.signed:
        assert await proof.holds(body, len(body), headers, now=NOW)
        assert not await proof.holds(body + b" ", len(body) + 1, headers, now=NOW)
    messages = [headers["webhook-id"] for headers, _ in receiver.signed]
    assert messages == [f"{incident.id}.firing", f"{incident.id}.firing", f"{incident.id}.resolved"]


async def test_an_end_is_sent_if_the_receiver_was_down_at_begin_and_end(outbox: Outbox, receiver: Receiver) -> None:
    task = alerts(outbox, receiver.url, settings=JSON)
    receiver.status = 503
    await BLOCK.write(outbox, a_trouble())
    await task.look()
    await BLOCK.write(outbox, None)
    await task.look()
    receiver.status = 200
    again = alerts(outbox, receiver.url, settings=JSON)  # another process
    await again.look()
    await again.look()
    states = [json.loads(body)["state"] for _, body in receiver.signed]
    assert states == ["firing", "resolved", "resolved"]


async def test_the_link_to_the_console_is_apart_from_the_text(outbox: Outbox, receiver: Receiver) -> None:
    link = "https://relay.example/console/inventory?from=shop"
    text = f"The source shop is silent: no event for 3.0 hours. {link}"
    incident = begin(Alert(key="silence: shop", text=text, source="shop", money={"EUR": Decimal("9.50")}), NOW)
    settings = JSON.model_copy(update={"alert_webhook_url": receiver.url})
    assert await AlertWebhook(settings, httpx.AsyncClient(**PLAIN), clock=lambda: NOW).post([incident]) == ""
    ((_, body),) = receiver.signed
    posted = json.loads(body)
    assert (posted["link"], posted["source"], posted["account"]) == (link, "shop", None)
    assert posted["text"] == "The source shop is silent: no event for 3.0 hours."
    assert posted["money"] == {"EUR": "9.50"}


def test_a_signature_is_that_of_the_reference_library() -> None:
    """The vector is from the tests of standardwebhooks 1.1.0."""
    signed = standard_signature(
        b"whsec_plJ3nmyCDGBKInavdOK15jsl",
        "msg_loFOjxBNrRLzqYUf",
        1_731_705_121,
        b'{"event_type":"ping","data":{"success":true}}',
    )
    assert signed == "v1,rAvfW3dJ/X/qxhsaXPOyyCGmRKsaKWcsNccKXlIktD0="


async def test_it_runs_until_it_is_stopped(outbox: Outbox, receiver: Receiver) -> None:
    await BLOCK.write(outbox, a_trouble(reason="bad token"))
    task = alerts(outbox, receiver.url)
    running = asyncio.create_task(task.run())

    async def told() -> bool:
        return bool(receiver.texts)

    await until_async(told)
    task.stop()
    await asyncio.wait_for(running, 5)
