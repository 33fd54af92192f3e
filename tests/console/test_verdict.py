from typing import Any

import pytest

from app.console.verdict import HealthFacts, health_of
from app.core.pages import Backlog
from app.core.shared_values import ClockJump, SetAside
from app.sender.status import delivery_problems, problems_of_refused_rows
from tests.console.world import NOW
from tests.sender.claims import a_trouble

GOOD = {
    "now": NOW,
    "live": True,
    "problems": (),
    "backlog": Backlog(),
    "received": 1_200,
    "delivered": 300,
    "matched": 300,
    "invalid": 0,
    "period_words": "in the last 24 hours",
}
JUMP = ClockJump(before=NOW - 86_400, after=NOW)


def stands(**different: Any) -> dict[str, object]:
    """Return what keeps delivery from being well: the destination is blocked, where nothing else is said."""
    standard: dict[str, Any] = {
        "trouble": a_trouble(reason="the token is not valid", next_probe_at=NOW + 125),
        "switched_off": False,
    }
    given = standard | different
    return {"problems": delivery_problems(given.pop("trouble"), now=NOW, **given)}


OFF = stands(trouble=None, switched_off=True)
LOST = stands(trouble=None, switched_off=True, keeps=False)
PRESET_OFF = stands(trouble=None, presets_off=["Lead"])
CLOCK = stands(trouble=None, jumps=[JUMP])
REFUSED = SetAside(doing="claim", ad_account_id="1", why="CHECK failed", since=NOW, again_at=NOW)
ASIDE = {"problems": problems_of_refused_rows({"delivery/1": REFUSED})}


def signs(**different: object) -> HealthFacts:
    return HealthFacts(**(GOOD | different))  # type: ignore[arg-type] # the builder is typed by its use


@pytest.mark.parametrize(
    ("rule", "different", "level", "said"),
    [
        ("all is well", {}, "good", "All is well: 1,200 events received and 300 deliveries delivered"),
        ("nothing waits", {}, "good", "nothing waits."),
        ("something waits", {"backlog": Backlog(pending=1, oldest_at=NOW - 5)}, "good", "the rest is on its way"),
        (
            "events that are turned away come before all else",
            {**stands(), "unavailable": "The disk is full: free some space."},
            "bad",
            "Events are turned away: they cannot be kept.",
        ),
        ("the sandbox is named", {"live": False}, "good", "delivered to the sandbox"),
        ("nothing came", {"received": 0, "delivered": 0, "matched": 0}, "idle", "Nothing was received"),
        (
            "what waits is not nothing",
            {"received": 0, "delivered": 0, "backlog": Backlog(pending=1, oldest_at=NOW)},
            "good",
            "0 events received",
        ),
        ("one in ten invalid is borne", {"matched": 300, "invalid": 30}, "good", "All is well"),
        ("more is not", {"matched": 300, "invalid": 31}, "warn", "31 events of 300 matched ones could not be sent"),
        ("dead letters", {"backlog": Backlog(dead=1)}, "warn", "1 delivery could not be delivered"),
        ("an hour is borne", {"backlog": Backlog(pending=1, oldest_at=NOW - 3_600)}, "good", "All is well"),
        ("more is late", {"backlog": Backlog(pending=1, oldest_at=NOW - 7_300)}, "bad", "waited for 2 hours"),
        (
            "what waits for a preset that is switched off is not late",
            {**PRESET_OFF, "backlog": Backlog(pending=1, oldest_at=NOW - 7_300)},
            "warn",
            "The preset Lead is switched off; the oldest delivery has waited for 2 hours.",
        ),
        ("a preset that is switched off", PRESET_OFF, "warn", "The preset Lead is switched off."),
        ("dead letters before it", {**PRESET_OFF, "backlog": Backlog(dead=9)}, "warn", "could not be delivered"),
        ("switched off", OFF, "warn", "Sending is switched off"),
        ("blocked", stands(), "bad", "Pinterest refuses our calls: the token is not valid."),
        ("blocked without a reason", stands(trouble=a_trouble(reason="")), "bad", "it gave no reason"),
        ("blocked before all else", {**stands(switched_off=True), "backlog": Backlog(dead=9)}, "bad", "refuses"),
        ("failing", stands(trouble=a_trouble(state="failing")), "bad", "Calls to Pinterest fail"),
        ("refusing", stands(trouble=a_trouble(state="refusing")), "bad", "Pinterest refuses every event"),
        ("rate limited", stands(trouble=a_trouble(state="rate limited")), "warn", "Pinterest limits our calls"),
        ("rows that the store refuses", ASIDE, "bad", "The store refuses to change 1 delivery (1): CHECK failed."),
        ("off before dead letters", {**OFF, "backlog": Backlog(dead=9)}, "warn", "switched off"),
        ("the clock", CLOCK, "warn", "The clock of this machine jumped forward by 1 day"),
        ("dead letters before the clock", {**CLOCK, "backlog": Backlog(dead=9)}, "warn", "could not be delivered"),
    ],
)
def test_the_most_pressing_thing_is_said(rule: str, different: dict[str, object], level: str, said: str) -> None:
    health = health_of(signs(**different))
    assert health.level == level
    assert said in health.sentence


@pytest.mark.parametrize(
    ("different", "said"),
    [
        (OFF, "are kept, and sent"),
        (LOST, "will not be sent later"),
        (stands(), "The next try is in 2 minutes."),
        (stands(trouble=a_trouble(next_probe_at=NOW - 1)), "names what is wrong."),
        (stands(trouble=a_trouble(state="failing", status=503)), "Answer 503, since 20"),
    ],
)
def test_advice_says_what_follows(different: dict[str, object], said: str) -> None:
    assert said in health_of(signs(**different)).advice
