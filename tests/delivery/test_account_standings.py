"""How delivery stands for each ad account, by what all processes know."""

from app.delivery import read_accounts
from app.outbox import Outbox
from app.shared_values import CLOCK_JUMPS, TROUBLE, ClockJump, ClockJumps
from app.types import AccountView
from tests.delivery.claims import NOW, a_trouble

DAY = 86_400.0
ACCOUNTS = [AccountView(ad_account_id=which, live=True) for which in ("42", "43", "44")]


async def test_each_ad_account_has_its_own_trouble_and_switch_and_all_have_one_clock(outbox: Outbox) -> None:
    async def states(*off: str) -> list[list[str]]:
        found = await read_accounts(outbox, ACCOUNTS, is_off=lambda which: which in off, now=NOW)
        return [[each.state for each in account.standings] for account in found]

    assert await states() == [[], [], []]
    await TROUBLE.of("42").write(outbox, a_trouble(state="failing"))
    await TROUBLE.of("43").write(outbox, a_trouble())
    assert await states("42", "44") == [["failing", "switched off"], ["blocked"], ["switched off"]]
    await TROUBLE.of("43").write(outbox, None)
    await CLOCK_JUMPS.write(outbox, ClockJumps(jumps=(ClockJump(before=NOW - DAY, after=NOW),)))
    assert await states("42") == [["failing", "switched off", "clock"], ["clock"], ["clock"]]
