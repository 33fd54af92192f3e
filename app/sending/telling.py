"""What the log says of how delivery stands: one warning when a state begins, one line when all is well again."""

from app.core.log import logger
from app.core.shared_values import ClockJump, Trouble
from app.delivery import standings


def log_trouble(destination: str, before: Trouble | None, after: Trouble | None) -> None:
    """Log a change of the trouble with Pinterest; None is none. `destination` is "" where there is only one."""
    which = {"destination": destination} if destination else {}
    if after is None:
        since = before.since if before else 0
        logger().warning("delivery goes on", **which, after=before.state if before else "", since=since)
        return
    for standing in standings(after, switched_off=False, now=after.since):
        logger().warning(
            "delivery stands",
            **which,
            state=standing.state,
            since=standing.since,
            status=standing.status,
            words=standing.words,
            sentence=standing.sentence,
            remedy=standing.remedy,
        )


def log_jump(jump: ClockJump) -> None:
    """Log that the clock of this machine was set."""
    for standing in standings(None, switched_off=False, jumps=[jump], now=jump.after):
        logger().warning("the clock jumped", by_s=jump.after - jump.before, to=jump.after, remedy=standing.remedy)
