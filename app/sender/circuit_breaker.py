"""While Pinterest takes nothing, only probes are sent: one delivery at a time, at rising pauses, by one process."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final, TypeAlias

from app.config.settings import DeliverySettings
from app.core.deliveries import Blocked, Rejected, Retry
from app.core.shared_values import TROUBLE, Shared, SharedValues, Trouble, TroubleState
from app.core.values.times import HOUR_S
from app.sender.retry import clamped

#: A refused token is seldom mended by waiting.
MIN_BLOCKED_PAUSE_S: Final = 60.0
MAX_BLOCKED_PAUSE_S: Final = HOUR_S
#: One or two calls in a row without a verdict are chance.
CALLS_IN_A_ROW: Final = 3

FORBIDDEN: Final = 403
TOO_MANY_REQUESTS: Final = 429


@dataclass(frozen=True, slots=True, kw_only=True)
class CallSignal:
    """What a call that judged no event says of Pinterest."""

    state: TroubleState
    #: Pinterest's words, or what kept its answer from coming.
    reason: str
    #: The HTTP status; None where no answer came.
    status: int | None
    #: When it was seen first.
    since: float
    #: The pause that Pinterest asked for, in seconds; 0 if it asked for none.
    retry_after_s: float = 0
    #: The only event that is known to get this answer, by its delivery id; "" if others get it too.
    only: str = ""


def signal_of(result: Blocked | Retry | Rejected, *, now: float) -> CallSignal:
    """Return what the result of a call is a sign of. Rejected stands for an event that was refused with its call."""
    match result:
        case Blocked():
            return CallSignal(state="blocked", reason=result.reason, status=result.status, since=now)
        case Rejected():
            return CallSignal(state="refusing", reason=result.reason, status=result.status, since=now)
        case _:
            return CallSignal(
                state="rate limited" if result.status == TOO_MANY_REQUESTS else "failing",
                reason=result.reason,
                status=result.status,
                since=now,
                retry_after_s=max(0.0, result.retry_after_s or 0),
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class CallsInARow:
    """The calls in a row, of one process, that judged no event."""

    calls: int = 0
    #: When the first of them was answered.
    since: float = 0
    #: The one event of all these calls, by its delivery id; "" if there were others.
    event: str = ""
    #: The events of the latest call that was answered 401, 403 or 404.
    blocked: frozenset[str] = frozenset()
    #: Two such calls had no event in common.
    others_blocked: bool = False

    def longer(self, sign: CallSignal, events: Sequence[str], *, calls: int = 1) -> "CallsInARow":
        """Return the row with `calls` more; `sign` is what the first of them showed, `events` were in the latest."""
        is_blocked = sign.state == "blocked"
        is_only = len(events) == 1 and (not self.calls or self.event == events[0])
        return CallsInARow(
            calls=self.calls + calls,
            since=self.since if self.calls else sign.since,
            event=events[0] if is_only else "",
            blocked=frozenset(events) if is_blocked else self.blocked,
            others_blocked=self.others_blocked
            or (is_blocked and bool(self.blocked) and self.blocked.isdisjoint(events)),
        )

    def is_trouble(self, sign: CallSignal, *, has_others: bool = False) -> bool:
        """Return whether the row, of which `sign` is the latest, is no chance any more.

        `has_others`: the latest call was answered 403, and events wait that were not in it. The answer may be that of a
        firewall to one event, until calls with other events get the same answer.
        """
        if sign.state == "blocked":
            is_repeated = self.event != "" and self.calls > 1
            return self.others_blocked or is_repeated or not has_others
        return sign.retry_after_s > 0 or self.calls >= CALLS_IN_A_ROW


def worsened(
    before: Trouble | None, sign: CallSignal, policy: DeliverySettings, *, token: str, now: float, probe: bool
) -> Trouble:
    """Return the trouble after one more sign of it; `before` where it says nothing new.

    Calls that were under way when the trouble began say nothing new, unless they tell that the token is refused or ask
    for a longer pause. A probe that got no verdict doubles the pause.
    """
    wanted_s = clamped(sign.retry_after_s, policy)
    goes_on = before is not None and (before.state == "blocked") == (sign.state == "blocked")
    only = sign.only if before is None or before.only == sign.only else ""
    if before is not None and not probe and (goes_on or sign.state != "blocked"):
        if now + wanted_s <= before.next_probe_at:
            return replace(before, only=only)
        return replace(before, next_probe_at=now + wanted_s, pause_s=max(before.pause_s, wanted_s), only=only)
    was_s = before.pause_s if before is not None and goes_on and before.token == token else None
    pause_s = max(_next_pause_s(was_s, sign, policy, probe=probe), wanted_s)
    return Trouble(
        state=sign.state,
        reason=sign.reason,
        status=sign.status,
        since=before.since if before is not None and goes_on else sign.since,
        next_probe_at=now + pause_s,
        pause_s=pause_s,
        token=token,
        only=only,
    )


def _next_pause_s(was_s: float | None, sign: CallSignal, policy: DeliverySettings, *, probe: bool) -> float:
    is_blocked = sign.state == "blocked"
    if sign.status == FORBIDDEN and not (sign.only or probe):
        return policy.retry_base_s  # each call may contain an event that a firewall refuses: a probe soon shows it
    first_s = MIN_BLOCKED_PAUSE_S if is_blocked else policy.retry_base_s
    return min(max(2 * (was_s or 0), first_s), MAX_BLOCKED_PAUSE_S if is_blocked else policy.retry_max_pause_s)


def wait_s(trouble: Trouble, policy: DeliverySettings, *, token: str, now: float) -> float:
    """Return how many seconds no probe may be sent; 0 where one may.

    One may when the pause is over, or, while the token is refused, as soon as there is another. No wait is longer than
    a probe and the pause after it: where the next one seems to be further away, the clock was set back.
    """
    if trouble.state == "blocked" and token != trouble.token:
        return 0.0
    return min(max(0.0, trouble.next_probe_at - now), policy.limits.send_timeout_s + trouble.pause_s)


def probing(trouble: Trouble, policy: DeliverySettings, *, token: str, now: float) -> Trouble:
    """Return the trouble while a probe is under way: no other is sent before its answer and the next pause are over."""
    pause_s = MIN_BLOCKED_PAUSE_S if trouble.state == "blocked" and token != trouble.token else trouble.pause_s
    return replace(trouble, token=token, pause_s=pause_s, next_probe_at=now + policy.limits.send_timeout_s + pause_s)


#: Where another process took the probe.
NOT_MINE_S = 1.0


@dataclass(frozen=True, slots=True)
class Passage:
    """What may be sent now: without a trouble any delivery; otherwise one delivery as a probe, after `wait_s`."""

    trouble: Trouble | None = None
    #: Seconds until the probe, except a probe with another event than the only one that is known to fail.
    wait_s: float = 0.0


#: Takes the trouble before and after a change of its state; None where there is none.
OnChange: TypeAlias = Callable[[Trouble | None, Trouble | None], None]


class CircuitBreaker:
    """Says what may be sent, and takes note of how Pinterest fares.

    A pause that was read once runs by the monotonic clock, whatever becomes of the clock that other processes go by.
    """

    def __init__(
        self,
        shared: SharedValues,
        policy: DeliverySettings,
        *,
        ad_account_id: str,
        fingerprint: Callable[[], str],
        monotonic: Callable[[], float],
        on_change: OnChange,
    ) -> None:
        self._shared = shared
        self._policy = policy
        self._key = TROUBLE.of(ad_account_id)
        self._fingerprint = fingerprint
        self._monotonic = monotonic
        self._on_change = on_change
        self._seen: Shared[Trouble | None] = Shared(None, 0)
        #: When, by the monotonic clock, the pause of what was seen is over.
        self._over_at = 0.0

    async def ask(self, *, now: float) -> Passage:
        """Return what may be sent now."""
        asked_at = self._monotonic()  # with `now`: reading may take its time
        seen = await self._key.read_revised(self._shared)
        if seen.value is None:
            return Passage()
        token = self._fingerprint()
        if seen != self._seen:
            self._seen = seen
            self._over_at = asked_at + wait_s(seen.value, self._policy, token=token, now=now)
        left_s = self._over_at - self._monotonic()
        has_new_token = seen.value.state == "blocked" and token != seen.value.token
        return Passage(seen.value, 0.0 if has_new_token else max(0.0, left_s))

    async def take_probe(self, *, now: float) -> bool:
        """Take the probe that `ask` said may be sent; False where another process was faster or all is well again."""
        if self._seen.value is None:
            return False
        after = probing(self._seen.value, self._policy, token=self._fingerprint(), now=now)
        return await self._key.write(self._shared, after, revision=self._seen.revision) is not None

    async def worsen(self, sign: CallSignal, *, token: str, now: float, probe: bool) -> None:
        """Note a sign of trouble. Where another process writes at once, its note is as good.

        `token` is the fingerprint of the one that the call was made with.
        """
        seen = await self._key.read_revised(self._shared)
        after = worsened(seen.value, sign, self._policy, token=token, now=now, probe=probe)
        if after == seen.value or await self._key.write(self._shared, after, revision=seen.revision) is None:
            return
        if seen.value is None or seen.value.state != after.state:
            self._on_change(seen.value, after)

    async def open(self) -> None:
        """Note that a probe got a verdict."""
        seen = await self._key.read_revised(self._shared)
        if seen.value is not None and await self._key.write(self._shared, None, revision=seen.revision):
            self._on_change(seen.value, None)
