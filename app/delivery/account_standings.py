"""How delivery stands for each ad account, and for all of them together."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from app.core.events import Tally
from app.core.pages import AccountView, Backlog
from app.core.shared_values import CLOCK_JUMPS, SET_ASIDE, TROUBLE, SharedValues
from app.delivery.standing import OF_ALL, STANDING_STATES, Standing, of_refused_rows, standings
from app.delivery.until_full import RATE_NAMES, RATE_S, full_in_s, waits_long


class ReadsBacklog(SharedValues, Protocol):
    """What is asked of the outbox. Every method may raise OutboxUnavailable."""

    async def backlog(self, ad_account_id: str, *, now: float) -> Backlog:
        """Do `Outbox.backlog`."""
        ...

    async def tallies(
        self, *, since: float, step_s: int, names: Collection[str] | None = None
    ) -> list[tuple[float, Tally]]:
        """Do `Outbox.tallies`."""
        ...


class SwitchedOff(Protocol):
    """What is asked of the switches."""

    @property
    def presets_off(self) -> Collection[str]:
        """Do `Switches.presets_off`."""
        ...

    def is_off(self, ad_account_id: str) -> bool:
        """Do `Switches.is_off`."""
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
            each if each.state in OF_ALL else replace(each, sentence=f"{name}: {each.sentence}")
            for each in self.standings
        ]


async def read_accounts(
    outbox: ReadsBacklog,
    accounts: Iterable[AccountView],
    *,
    switches: SwitchedOff,
    keeps: bool = True,
    told_full_s: float = 0,
    now: float,
) -> list[AccountStanding]:
    """Return how delivery stands for each ad account, by what all processes know. Raises OutboxUnavailable.

    `keeps` says whether events are kept while what they are for is switched off.
    A backlog that is full in less than `told_full_s` seconds is a standing, and so are presets that are switched off
    where something waits for long.
    """
    troubles, clock = await TROUBLE.read_all(outbox), await CLOCK_JUMPS.read(outbox)
    aside = await SET_ASIDE.read_all(outbox)
    accounts, found = list(accounts), []
    backlogs = await _read_backlogs(outbox, accounts, now=now)
    for account in accounts:
        which = account.ad_account_id
        backlog = backlogs[which]
        known = standings(
            troubles.get(which),
            full=backlog.full,
            full_in_s=backlog.full_in_s if (backlog.full_in_s or 0) < told_full_s else None,
            switched_off=switches.is_off(which),
            presets_off=switches.presets_off if waits_long(backlog, now) else (),
            keeps=keeps,
            jumps=clock.jumps if clock else (),
            now=now,
        )
        known += of_refused_rows({name: each for name, each in aside.items() if each.ad_account_id in {"", which}})
        known.sort(key=_how_pressing)
        found.append(AccountStanding(account=account, backlog=backlog, standings=known))
    return found


async def _read_backlogs(outbox: ReadsBacklog, accounts: Iterable[AccountView], *, now: float) -> dict[str, Backlog]:
    """Return how much waits for each ad account, and in what time it is full. Raises OutboxUnavailable."""
    found = {each.ad_account_id: await outbox.backlog(each.ad_account_id, now=now) for each in accounts}
    if not any(waits_long(each, now) for each in found.values()):
        return found
    tallies = await outbox.tallies(since=now - RATE_S, step_s=0, names=RATE_NAMES)
    times = full_in_s(found, (tally for _, tally in tallies))
    return {which: replace(each, full_in_s=times.get(which)) for which, each in found.items()}


def all_standings(found: Iterable[AccountStanding]) -> list[Standing]:
    """Return everything that keeps delivery from being well anywhere, the most pressing first, what is of all once."""
    every = dict.fromkeys(each for standing in found for each in standing.named)
    return sorted(every, key=_how_pressing)


def _how_pressing(standing: Standing) -> int:
    return STANDING_STATES.index(standing.state)


def whole_backlog(found: Iterable[AccountStanding]) -> Backlog:
    """Return how much waits for all ad accounts together."""
    backlogs = [each.backlog for each in found]
    return Backlog(
        pending=sum(each.pending for each in backlogs),
        claimed=sum(each.claimed for each in backlogs),
        dead=sum(each.dead for each in backlogs),
        size_bytes=sum(each.size_bytes for each in backlogs),
        oldest_at=min((each.oldest_at for each in backlogs if each.oldest_at is not None), default=None),
        full_in_s=min((each.full_in_s for each in backlogs if each.full_in_s is not None), default=None),
    )
