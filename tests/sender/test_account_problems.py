"""How delivery stands for each ad account, by what all processes know."""

from dataclasses import replace
from pathlib import Path

from app.config import Settings
from app.config.settings import AlertLimits
from app.core.coordination import Switches
from app.core.events import CounterRow
from app.core.pages import AccountView
from app.core.shared_values import CLOCK_JUMPS, TROUBLE, ClockJump, ClockJumps
from app.outbox import Outbox, open_outbox
from app.sender.status import read_accounts, total_backlog
from tests.outbox.build import new, rules
from tests.outbox.new_store import new_store
from tests.sender.claims import NOW, a_trouble

DAY = 86_400.0
SETTINGS = Settings.model_construct()
ACCOUNTS = [AccountView(ad_account_id=which, live=True) for which in ("42", "43", "44")]


async def test_each_ad_account_has_its_own_trouble_and_switch_and_all_have_one_clock(outbox: Outbox) -> None:
    async def states(*off: str) -> list[list[str]]:
        found = await read_accounts(outbox, ACCOUNTS, SETTINGS, switches=Switches(accounts_off=frozenset(off)), now=NOW)
        return [[each.state for each in account.problems] for account in found]

    assert await states() == [[], [], []]
    await TROUBLE.of("42").write(outbox, a_trouble(state="failing"))
    await TROUBLE.of("43").write(outbox, a_trouble())
    assert await states("42", "44") == [["failing", "switched off"], ["blocked"], ["switched off"]]
    await TROUBLE.of("43").write(outbox, None)
    await CLOCK_JUMPS.write(outbox, ClockJumps(jumps=(ClockJump(before=NOW - DAY, after=NOW),)))
    assert await states("42") == [["failing", "switched off", "clock"], ["clock"], ["clock"]]


async def test_a_backlog_that_will_be_full_soon_is_told_before(tmp_path: Path) -> None:
    """At the rate of the last hour, the backlog is full after a million bytes of payloads."""
    outbox = open_outbox(new_store(tmp_path), rules(outbox_max_backlog_bytes=1_000_000))
    waits = [new(ad_account_id=ACCOUNTS[0].ad_account_id) for _ in range(2)]
    counter = CounterRow(name="enqueued", preset="P", ad_account_id=ACCOUNTS[0].ad_account_id, count=2)
    await outbox.enqueue(waits, [], [counter], now=NOW)

    async def told(at: float, told_full_s: float = 0) -> tuple[float | None, list[str]]:
        settings = Settings.model_construct(alert_limits=AlertLimits.model_construct(full_hours=told_full_s / 3_600))
        first, *_ = await read_accounts(outbox, ACCOUNTS, settings, switches=Switches(), now=at)
        return first.backlog.full_in_s, [each.state for each in first.problems]

    assert await told(NOW + 59, told_full_s=1e12) == (None, [])
    hours, states = await told(NOW + 61, told_full_s=1e12)
    assert hours
    an_hour_bytes = (await outbox.backlog(ACCOUNTS[0].ad_account_id, now=NOW)).size_bytes
    assert 0 < hours <= (1_000_000 - an_hour_bytes) / an_hour_bytes * 3_600 * 1.01
    assert states == ["filling"]
    assert await told(NOW + 61) == (hours, [])
    assert await told(NOW + 61, told_full_s=hours) == (hours, [])
    assert await told(NOW + 3 * 3_600, told_full_s=1e12) == (None, [])
    await outbox.close()


async def test_the_oldest_delivery_is_safe_until_the_age_limit_of_its_own_account(outbox: Outbox) -> None:
    settings = Settings.model_construct(retry_max_age_hours=72)
    accounts = [replace(ACCOUNTS[0], retry_max_age_s=2 * DAY), *ACCOUNTS[1:]]
    waits = [new(ad_account_id=account.ad_account_id) for account in accounts[:2]]
    await outbox.enqueue(waits, [], [], now=NOW)

    found = await read_accounts(outbox, accounts, settings, switches=Switches(), now=NOW)

    assert [each.backlog.safe_until for each in found] == [NOW + 2 * DAY, NOW + 3 * DAY, None]
    assert total_backlog(found).safe_until == NOW + 2 * DAY
    assert total_backlog(found[2:]).safe_until is None


async def test_a_preset_that_is_switched_off_is_told_where_something_waits_for_long(outbox: Outbox) -> None:
    await outbox.enqueue([new(ad_account_id=ACCOUNTS[0].ad_account_id)], [], [], now=NOW)
    off = Switches(presets_off=frozenset({"Lead"}))

    async def told(at: float) -> list[list[str]]:
        found = await read_accounts(outbox, ACCOUNTS, SETTINGS, switches=off, now=at)
        return [[each.sentence for each in account.named] for account in found]

    assert await told(NOW + 60) == [[], [], []]
    assert await told(NOW + 61) == [["The preset Lead is switched off."], [], []]
