"""The blocked destination: Pinterest refuses the token or the account (401, 403), so nothing is sent but probes.

open --401, 403--> blocked --pause over, or another token--> one probe --taken--> open
                      ^------------------401, 403: pause doubled---|
"""

from dataclasses import dataclass, replace

from app.types import Blocked

MIN_PAUSE_S = 60.0
MAX_PAUSE_S = 3_600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """Why nothing is sent, and when it is tried again."""

    #: Pinterest's words.
    reason: str
    status: int
    since: float
    next_probe_at: float
    #: Between the last probe and the next.
    pause_s: float
    #: Tells the refused token from others (a short digest).
    token: str


def block(before: Block | None, outcome: Blocked, *, token: str, now: float, probe: bool) -> Block:
    """Note a refusal. Only a refused probe lengthens the pause: calls that were under way with it say nothing new."""
    if before is None or before.token != token:
        since = before.since if before else now
        pause_s = MIN_PAUSE_S
    elif probe:
        since, pause_s = before.since, min(2 * before.pause_s, MAX_PAUSE_S)
    else:
        return before
    return Block(
        reason=outcome.reason,
        status=outcome.status,
        since=since,
        next_probe_at=now + pause_s,
        pause_s=pause_s,
        token=token,
    )


def wait_s(current: Block, *, token: str, now: float) -> float:
    """Say how long no probe may be sent; 0 where one may: the pause is over, or the token is another."""
    return 0.0 if token != current.token else max(0.0, current.next_probe_at - now)


def probing(current: Block, *, token: str, now: float) -> Block:
    """Note that a probe is under way, so that no other process sends one before the next pause is over."""
    pause_s = current.pause_s if token == current.token else MIN_PAUSE_S
    return replace(current, token=token, pause_s=pause_s, next_probe_at=now + pause_s)
