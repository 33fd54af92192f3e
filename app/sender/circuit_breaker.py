"""The circuit breaker: while Pinterest accepts no events, one process sends probes at growing intervals."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final, TypeAlias

from app.config.settings import DeliverySettings
from app.core.deliveries import Blocked, Rejected, Retry
from app.core.shared_values import TROUBLE, Shared, SharedValues, Trouble, TroubleState
from app.core.values.times import HOUR_S
from app.sender.retry import clamped

#: Waiting seldom repairs a refused token.
MIN_BLOCKED_PAUSE_S: Final = 60.0
MAX_BLOCKED_PAUSE_S: Final = HOUR_S
#: One or two calls in a row without a verdict are chance.
CALLS_IN_A_ROW: Final = 3

FORBIDDEN: Final = 403
TOO_MANY_REQUESTS: Final = 429


@dataclass(frozen=True, slots=True, kw_only=True)
class CallSignal:
    """The signal of a call without a verdict about the state of Pinterest."""

    state: TroubleState
    #: The message of Pinterest, or the reason for the missing response.
    reason: str
    #: The HTTP status; `None` without a response.
    status: int | None
    #: The time of the first signal.
    since: float
    #: The pause that Pinterest asked for, in seconds; 0 if it asked for none.
    retry_after_s: float = 0
    #: The delivery id of the only event with this response; "" if other events have the response too.
    only: str = ""


def signal_of(result: Blocked | Retry | Rejected, *, now: float) -> CallSignal:
    """Return the signal of a result. `Rejected` is the result of an event that was refused with its call."""
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
    """The consecutive calls of a process without a verdict on any event."""

    calls: int = 0
    #: The time of the first response.
    since: float = 0
    #: The only event of all these calls, by its delivery id; "" if there were others.
    event: str = ""
    #: The events of the latest call with the status 401, 403 or 404.
    blocked: frozenset[str] = frozenset()
    #: Whether two such calls had no event in common.
    others_blocked: bool = False

    def longer(self, sign: CallSignal, events: Sequence[str], *, calls: int = 1) -> "CallsInARow":
        """Return the row with `calls` more.

        `sign` is the signal of the first, `events` are the events of the latest.
        """
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
        """Return whether the row, of which `sign` is the latest signal, exceeds chance.

        `has_others`: the status of the latest call was 403, and other events wait. A firewall may refuse one event with
        this status, so calls with other events must confirm it.
        """
        if sign.state == "blocked":
            is_repeated = self.event != "" and self.calls > 1
            return self.others_blocked or is_repeated or not has_others
        return sign.retry_after_s > 0 or self.calls >= CALLS_IN_A_ROW


def worsened(
    before: Trouble | None, sign: CallSignal, policy: DeliverySettings, *, token: str, now: float, probe: bool
) -> Trouble:
    """Return the trouble after another signal; `before` without new information.

    Calls that were under way at the beginning of the trouble add nothing, unless the token is refused or a longer pause
    is requested. A probe without a verdict doubles the pause.
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
        return policy.retry_base_s  # a firewall may refuse an event of each call: a probe soon shows this
    first_s = MIN_BLOCKED_PAUSE_S if is_blocked else policy.retry_base_s
    return min(max(2 * (was_s or 0), first_s), MAX_BLOCKED_PAUSE_S if is_blocked else policy.retry_max_pause_s)


def wait_s(trouble: Trouble, policy: DeliverySettings, *, token: str, now: float) -> float:
    """Return the seconds until the next probe; 0 if a probe is allowed now.

    A probe is allowed after the pause, or with a new token after a refused token. The maximum is the duration of a
    probe and its pause: a longer time means that the clock was set back.
    """
    if trouble.state == "blocked" and token != trouble.token:
        return 0.0
    return min(max(0.0, trouble.next_probe_at - now), policy.limits.send_timeout_s + trouble.pause_s)


def probing(trouble: Trouble, policy: DeliverySettings, *, token: str, now: float) -> Trouble:
    """Return the trouble during a probe: the next probe waits for the response and the pause after it."""
    pause_s = MIN_BLOCKED_PAUSE_S if trouble.state == "blocked" and token != trouble.token else trouble.pause_s
    return replace(trouble, token=token, pause_s=pause_s, next_probe_at=now + policy.limits.send_timeout_s + pause_s)


#: The pause after another process took the probe.
NOT_MINE_S = 1.0


@dataclass(frozen=True, slots=True)
class Passage:
    """The deliveries that may be sent.

    Without trouble, all deliveries; with trouble, one delivery as a probe, after `wait_s`.
    """

    trouble: Trouble | None = None
    #: Seconds until the probe. A probe with another event than the only failing one need not wait.
    wait_s: float = 0.0


#: Called with the trouble before and after a change of state; `None` is no trouble.
OnChange: TypeAlias = Callable[[Trouble | None, Trouble | None], None]


class CircuitBreaker:
    """Decide whether calls may be sent, and track the state of Pinterest.

    After a pause is read, the pause runs by the monotonic clock, independent of the shared clock.
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
        #: The end of the current pause, by the monotonic clock.
        self._over_at = 0.0

    async def ask(self, *, now: float) -> Passage:
        """Return the passage at this time."""
        asked_at = self._monotonic()  # at the time of `now`: the read may be slow
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
        """Take the probe that `ask` allowed.

        Return `False` if another process took the probe or the trouble is over.
        """
        if self._seen.value is None:
            return False
        after = probing(self._seen.value, self._policy, token=self._fingerprint(), now=now)
        return await self._key.write(self._shared, after, revision=self._seen.revision) is not None

    async def worsen(self, sign: CallSignal, *, token: str, now: float, probe: bool) -> None:
        """Note a signal of trouble. A concurrent signal of another process has the same effect.

        `token` is the fingerprint of the token of the call.
        """
        seen = await self._key.read_revised(self._shared)
        after = worsened(seen.value, sign, self._policy, token=token, now=now, probe=probe)
        if after == seen.value or await self._key.write(self._shared, after, revision=seen.revision) is None:
            return
        if seen.value is None or seen.value.state != after.state:
            self._on_change(seen.value, after)

    async def open(self) -> None:
        """Note that a probe had a verdict."""
        seen = await self._key.read_revised(self._shared)
        if seen.value is not None and await self._key.write(self._shared, None, revision=seen.revision):
            self._on_change(seen.value, None)
