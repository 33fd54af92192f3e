"""One sentence: is it healthy, and what to do if not. Pure."""

from dataclasses import dataclass
from typing import Literal

from app.alerts import LATE_S
from app.console.labels import count_of, time_span
from app.shared_values import Block
from app.types import Backlog

#: More than one in so many matched events being invalid is worth a look.
INVALID_ONE_IN = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Signs:
    """What the sentence is made of."""

    now: float
    live: bool
    #: The destination's switch.
    switched_on: bool
    #: Whether events are kept while it is off.
    kept_while_off: bool
    #: None where Pinterest takes our calls.
    blocked: Block | None
    backlog: Backlog
    #: Of the window that is shown.
    received: int
    delivered: int
    matched: int
    invalid: int
    window_label: str

    @property
    def waiting_s(self) -> float:
        """Since when the oldest delivery waits; 0 where none does."""
        return 0 if self.backlog.oldest_at is None else self.now - self.backlog.oldest_at


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """The sentence, and what follows from it."""

    level: Literal["good", "idle", "warn", "bad"]
    sentence: str
    #: What it means or what to do; "" where nothing follows.
    advice: str = ""


def health_of(signs: Signs) -> Health:
    """Pick the most pressing thing there is to say."""
    return _blocked(signs) or _switched_off(signs) or _late(signs) or _losing(signs) or _quiet(signs) or _well(signs)


def _blocked(signs: Signs) -> Health | None:
    if not signs.blocked:
        return None
    probe_at = signs.blocked.next_probe_at
    again = f" The next try is in {time_span(probe_at - signs.now)}." if probe_at > signs.now else ""
    return Health(
        level="bad",
        sentence=f"Pinterest refuses our calls: {signs.blocked.reason or 'it gave no reason'}.",
        advice="Events are kept and will be sent once this is mended. Check the conversion token and that its owner "
        f"may use the ad account; `pinrelay verify` names what is wrong.{again}",
    )


def _switched_off(signs: Signs) -> Health | None:
    if signs.switched_on:
        return None
    kept = "Matching events are kept and will be sent when it is switched on again."
    lost = "Matching events are withheld: they are counted and will not be sent later."
    return Health(
        level="warn",
        sentence="Sending is switched off.",
        advice=f"{kept if signs.kept_while_off else lost} Switch it on under Mappings.",
    )


def _late(signs: Signs) -> Health | None:
    if signs.waiting_s <= LATE_S:
        return None
    return Health(
        level="bad",
        sentence=f"Deliveries are late: the oldest has waited for {time_span(signs.waiting_s)}.",
        advice="See Pinterest's last answers below for the reason, and whether a sending process runs at all.",
    )


def _losing(signs: Signs) -> Health | None:
    if signs.backlog.dead:
        return Health(
            level="warn",
            sentence=f"{count_of(signs.backlog.dead, 'delivery', 'deliveries')} could not be delivered "
            "and will not be tried again by themselves.",
            advice="Look at the reasons under Deliveries, mend the cause, then redrive them.",
        )
    if signs.invalid * INVALID_ONE_IN > signs.matched:
        return Health(
            level="warn",
            sentence=f"{count_of(signs.invalid, 'event')} of {count_of(signs.matched, 'matched one')} "
            "could not be sent: Pinterest would refuse them.",
            advice="The reasons are listed below; the event tester shows which field is missing or wrong.",
        )
    return None


def _quiet(signs: Signs) -> Health | None:
    if signs.received or signs.delivered or signs.backlog.oldest_at is not None:
        return None
    return Health(
        level="idle",
        sentence=f"Nothing was received in the last {signs.window_label}.",
        advice="If events should be arriving, check the source: its URL, its secret and its own error list.",
    )


def _well(signs: Signs) -> Health:
    where = "delivered" if signs.live else "delivered to the sandbox"
    waits = "nothing waits" if not (signs.backlog.pending or signs.backlog.claimed) else "the rest is on its way"
    return Health(
        level="good",
        sentence=f"All is well: {count_of(signs.received, 'event')} received and "
        f"{count_of(signs.delivered, 'delivery', 'deliveries')} {where} in the last {signs.window_label}; {waits}.",
    )
