"""One outbox, many ad accounts: no trouble of one is felt by another. Workers and store are real."""

from collections import Counter
from pathlib import Path
from statistics import median

import pytest

from app.core.coordination import Switches
from tests.sender.accounts import BAD, BLOCKED, GOOD, OFF, REFUSING, SLOW, ages_of_the_good

BACKLOG, A_SECOND, SECONDS = 300, 200, 1


@pytest.mark.slow
async def test_five_bad_ad_accounts_hold_up_none_of_the_good(tmp_path: Path) -> None:
    """Blocked, slow, refusing, at its rate limit, switched off, each with a backlog: the others do not wait for them.

    How much later the others' events arrive is measured by bench/accounts.py; here it is only that they do, long before
    the slow one's first call is answered.
    """
    ages, waiting = await ages_of_the_good(
        tmp_path, BAD, a_second=A_SECOND, seconds=SECONDS, backlog=BACKLOG, batch_max_wait_s=0.05
    )
    assert len(ages) == len(GOOD) * A_SECOND * SECONDS
    assert median(ages) < 10
    for account in (BLOCKED, SLOW, REFUSING, OFF):
        assert waiting[account].pending + waiting[account].claimed == BACKLOG + A_SECOND * SECONDS
        assert waiting[account].dead == 0


@pytest.mark.parametrize("off", [frozenset({"2"}), frozenset()], ids=["off", "on"])
def test_a_switch_of_one_ad_account_is_no_others(off: frozenset[str]) -> None:
    switches = Switches(accounts_off=off)
    told = Counter(switches.of(account).destination_off for account in GOOD)
    assert told == Counter({True: len(off), False: len(GOOD) - len(off)} if off else {False: len(GOOD)})
    assert switches.why_off("Checkout", "2") == ("the destination is switched off" if off else None)
    assert switches.why_off("Checkout", "1") is None
