from dataclasses import replace

import pytest

from app.console.verdict import Signs, health_of
from app.types import Backlog
from tests.console.world import NOW
from tests.delivery.claims import a_block

GOOD = {
    "now": NOW,
    "live": True,
    "switched_on": True,
    "kept_while_off": True,
    "blocked": None,
    "backlog": Backlog(),
    "received": 1_200,
    "delivered": 300,
    "matched": 300,
    "invalid": 0,
    "window_label": "24 hours",
}
BLOCKED = a_block(reason="the token is not valid", next_probe_at=NOW + 125)


def signs(**different: object) -> Signs:
    return Signs(**(GOOD | different))  # type: ignore[arg-type] # the builder is typed by its use


@pytest.mark.parametrize(
    ("rule", "different", "level", "said"),
    [
        ("all is well", {}, "good", "All is well: 1,200 events received and 300 deliveries delivered"),
        ("nothing waits", {}, "good", "nothing waits."),
        ("something waits", {"backlog": Backlog(pending=1, oldest_at=NOW - 5)}, "good", "the rest is on its way"),
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
        ("switched off", {"switched_on": False}, "warn", "Sending is switched off"),
        ("blocked", {"blocked": BLOCKED}, "bad", "Pinterest refuses our calls: the token is not valid."),
        ("blocked without a reason", {"blocked": a_block(reason="")}, "bad", "it gave no reason"),
        (
            "blocked before all else",
            {"blocked": BLOCKED, "switched_on": False, "backlog": Backlog(dead=9)},
            "bad",
            "refuses",
        ),
        ("off before dead letters", {"switched_on": False, "backlog": Backlog(dead=9)}, "warn", "switched off"),
    ],
)
def test_the_most_pressing_thing_is_said(rule: str, different: dict[str, object], level: str, said: str) -> None:
    health = health_of(signs(**different))
    assert health.level == level
    assert said in health.sentence


@pytest.mark.parametrize(
    ("different", "said"),
    [
        ({"switched_on": False}, "are kept and will be sent"),
        ({"switched_on": False, "kept_while_off": False}, "will not be sent later"),
        ({"blocked": BLOCKED}, "The next try is in 2 minutes."),
        ({"blocked": replace(BLOCKED, next_probe_at=NOW - 1)}, "names what is wrong."),
    ],
)
def test_advice_says_what_follows(different: dict[str, object], said: str) -> None:
    assert health_of(signs(**different)).advice.find(said) > 0
