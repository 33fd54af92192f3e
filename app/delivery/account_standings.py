"""How delivery stands for each ad account, and for all of them together."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from app.delivery.standing import STANDING_STATES, Standing, standings
from app.shared_values import CLOCK_JUMPS, TROUBLE, SharedValues
from app.types import AccountView, Backlog


class ReadsBacklog(SharedValues, Protocol):
    """What is asked of the outbox. Every method may raise OutboxUnavailable."""

    async def backlog(self, ad_account_id: str, *, now: float) -> Backlog:
        """Do `Outbox.backlog`."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountStanding:
    """How delivery stands for one ad account."""

    account: AccountView
    backlog: Backlog
    #: Everything that keeps delivery from being well, the most pressing first.
    standings: Sequence[Standing]

    @property
    def state(self) -> str:
        """The most pressing state; `sending` where all is well."""
        return self.standings[0].state if self.standings else "sending"

    @property
    def named(self) -> list[Standing]:
        """The standings, each saying which ad account it is about where the account has a name."""
        if not self.account.name:
            return list(self.standings)
        name = self.account.name
        return [
            each if each.state == "clock" else replace(each, sentence=f"{name}: {each.sentence}")
            for each in self.standings
        ]


async def read_accounts(
    outbox: ReadsBacklog,
    accounts: Iterable[AccountView],
    *,
    is_off: Callable[[str], bool],
    keeps: bool = True,
    now: float,
) -> list[AccountStanding]:
    """Return how delivery stands for each ad account, by what all processes know. Raises OutboxUnavailable.

    `is_off` says whether sending to an ad account is switched off, `keeps` whether events are kept meanwhile.
    """
    troubles, clock = await TROUBLE.read_all(outbox), await CLOCK_JUMPS.read(outbox)
    found = []
    for account in accounts:
        which = account.ad_account_id
        backlog = await outbox.backlog(which, now=now)
        known = standings(
            troubles.get(which),
            full=backlog.full,
            switched_off=is_off(which),
            keeps=keeps,
            jumps=clock.jumps if clock else (),
            now=now,
        )
        found.append(AccountStanding(account=account, backlog=backlog, standings=known))
    return found


def all_standings(found: Iterable[AccountStanding]) -> list[Standing]:
    """Return everything that keeps delivery from being well anywhere, the most pressing first, the clock once."""
    every = dict.fromkeys(each for standing in found for each in standing.named)
    return sorted(every, key=lambda each: STANDING_STATES.index(each.state))


def whole_backlog(found: Iterable[AccountStanding]) -> Backlog:
    """Return how much waits for all ad accounts together."""
    backlogs = [each.backlog for each in found]
    return Backlog(
        pending=sum(each.pending for each in backlogs),
        claimed=sum(each.claimed for each in backlogs),
        dead=sum(each.dead for each in backlogs),
        size_bytes=sum(each.size_bytes for each in backlogs),
        oldest_at=min((each.oldest_at for each in backlogs if each.oldest_at is not None), default=None),
    )
