"""`pinrelay preview --story`: what becomes of events in an order and at moments that a file tells."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from typer.testing import Result

from tests.commands.conftest import Run
from tests.examples.blocks import BLOCKS

SHOP = {"trust": "trusted", "source": "shop"}
PAGE = {"trust": "public", "source": "web"}


def order(**properties: Any) -> dict[str, Any]:
    return {
        "type": "track",
        "event": "Order Completed",
        "messageId": f"m-{properties.get('order_id')}",
        "context": {"traits": {"email": "ada@example.com"}},
        "properties": {"currency": "USD", "revenue": 5, **properties},
    }


def story(*steps: tuple[float, dict[str, Any], dict[str, Any]], **members: Any) -> str:
    told = [{"at": at, "sender": sender, "event": event} for at, sender, event in steps]
    return json.dumps({"name": "one", "start": "2026-03-01T09:00:00Z", "steps": told} | members)


def rows(result: Result) -> list[dict[str, Any]]:
    assert result.exit_code == 0, result.output
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_each_story_has_a_clock_and_a_store_of_its_own(run: Run, tmp_path: Path) -> None:
    mine = story((0, SHOP, order(order_id="7")), (90.5, SHOP, order(order_id="8")), (100, SHOP, order(order_id="7")))

    first, second = rows(run("preview", "--story", "-", "--json", stdin=f"{mine}\n\n{mine}\n"))

    assert first == second
    assert first["name"] == "one"
    assert [(each["at"], each["event"]["custom_data"]["order_id"]) for each in first["sent"]] == [(0, "7"), (90.5, "8")]
    assert [each["warnings"] for each in first["sent"]] == [[], []]
    assert first["sent"][1]["event"]["event_time"] - first["sent"][0]["event"]["event_time"] == 90
    assert first["outcomes"] == ["enqueued", "enqueued", "duplicate"]
    with closing(sqlite3.connect(tmp_path / "o.db")) as store:
        assert store.execute("SELECT count(*) FROM delivery").fetchone() == (0,)


def test_a_held_order_is_sent_when_its_hold_ends_unless_it_is_cancelled(run: Run, tmp_path: Path) -> None:
    (tmp_path / "held.yaml").write_text(
        "name: Held\nsubscribe: event = 'Order Completed'\naction: report_conversion_event\nhold: 30m\n"
        "withdrawn_by: event = 'Order Cancelled'\nmapping: {event_name: checkout}\n",
        "utf-8",
    )
    cancelled = order(order_id="7") | {"event": "Order Cancelled", "messageId": "c"}
    mine = story((0, SHOP, order(order_id="7")), (5, SHOP, order(order_id="8")), (60, SHOP, cancelled))

    (told,) = rows(run("preview", "--presets", tmp_path, "--story", "-", "--json", stdin=mine))

    assert [(each["at"], each["event"]["custom_data"]["order_id"]) for each in told["sent"]] == [(1805, "8")]
    assert told["outcomes"] == ["enqueued", "enqueued", "matched"]


def test_what_is_no_event_is_refused_in_its_place(run: Run) -> None:
    (told,) = rows(run("preview", "--story", "-", "--json", stdin=story((0, PAGE, {}), (0, PAGE, order(order_id="7")))))

    assert told["outcomes"] == ["refused", "enqueued"]


def test_the_settings_of_a_story_win(run: Run) -> None:
    mine = story((0, PAGE, order(order_id="7", currency=None)), settings={"DEFAULT_CURRENCY": "GBP"})

    (told,) = rows(run("preview", "--story", "-", "--json", stdin=mine, DEFAULT_CURRENCY="EUR"))

    assert told["sent"][0]["event"]["custom_data"]["currency"] == "GBP"


def test_a_person_reads_what_happened_in_the_order_of_time(run: Run) -> None:
    mine = story((0, SHOP, order(order_id="7", revenue=None)), (60, PAGE, order(order_id="7")), name="")

    result = run("preview", "--story", "-", stdin=mine)

    assert result.exit_code == 0
    assert [" ".join(line.split()) for line in result.stdout.splitlines()[:4]] == [
        "story",
        "0 s shop (trusted) says Order Completed m-7: enqueued",
        "60 s web (public) says Order Completed m-7: duplicate: the same event_id was taken before, as delivery 1",
        "600 s sent checkout order 7 id m-7; checkout without value: Pinterest cannot tell what it was worth",
    ]
    assert "        60 s  web (public) says Order Completed m-7: duplicate: " in result.stdout


GOOD = json.loads(story((1, PAGE, order(order_id="7"))))


def changed(path: str, value: Any) -> dict[str, Any]:
    """Return the good story with one member changed, or without it where the value is None."""
    bad: Any = json.loads(json.dumps(GOOD))
    *way, last = path.split(".")
    inner = bad
    for name in way:
        inner = inner[int(name) if name.isdecimal() else name]
    inner[last] = value
    if value is None:
        del inner[last]
    found: dict[str, Any] = bad
    return found


@pytest.mark.parametrize(
    ("line", "texts"),
    [
        ("{", ["line 2 is not JSON"]),
        ("[]", ["line 2", "object"]),
        (json.dumps(changed("start", None)), ["line 2", "start"]),
        (json.dumps(changed("start", "soon")), ["line 2", "'soon'", "$.start", "2026-03-01T09:00:00Z"]),
        (json.dumps(changed("steps", None)), ["line 2", "steps"]),
        (json.dumps(changed("steps.0.at", "1")), ["line 2", "$.steps[0].at"]),
        (json.dumps(changed("steps.0.at", -1)), ["line 2", "-1", "$.steps[0].at"]),
        (json.dumps(changed("steps.0.event", None)), ["line 2", "event", "$.steps[0]"]),
        (json.dumps(changed("steps.0.sender.trust", "mine")), ["line 2", "mine", "$.steps[0].sender.trust", "trusted"]),
        (json.dumps(changed("settings", {"WAIT": 1})), ["line 2", "'WAIT'", "$.settings"]),
        (json.dumps(changed("settings", {"MAX_EVENT_AGE_DAYS": "x"})), ["line 2", "MAX_EVENT_AGE_DAYS", "$.settings"]),
    ],
)
def test_a_fault_names_its_line_and_member(run: Run, line: str, texts: list[str]) -> None:
    result = run("preview", "--story", "-", "--json", stdin=f"{json.dumps(GOOD)}\n{line}\n")

    assert result.exit_code == 2
    said = " ".join(result.stderr.replace("│", " ").split())
    assert [text for text in texts if text not in said] == []
    assert result.stdout == ""


def test_the_story_of_the_documentation_goes_as_it_says(run: Run, tmp_path: Path) -> None:
    given, command, printed = (block for block in BLOCKS if block.page == "twins" and block.title == "story")
    (tmp_path / "story.ndjson").write_text(json.dumps(json.loads(given.text)), "utf-8")
    words = command.text.replace("story.ndjson", str(tmp_path / "story.ndjson")).split()

    assert run(*words[1:]).stdout == printed.text


def test_a_story_plays_what_people_answer(run: Run) -> None:
    """A shop's order waits for the browser's word; an opt-out that comes while it waits withholds it when it is due."""
    settings = {"CONSENT_REQUIRED": True, "CONSENT_CATEGORIES": "ads"}

    def says(*, yes: bool, browser: str) -> dict[str, Any]:
        consent = {"categoryPreferences": {"ads": yes}}
        return {
            "type": "page",
            "messageId": f"{browser}-{yes}",
            "anonymousId": browser,
            "context": {"consent": consent, "ip": "203.0.113.9", "userAgent": "x"},
        }

    orders = [order(order_id=number) | {"anonymousId": f"b{number}", "userId": f"u{number}"} for number in "789"]
    mine = story(
        *((0, SHOP, each) for each in orders),
        (60, PAGE, says(yes=True, browser="b7")),
        (61, PAGE, says(yes=True, browser="b8")),
        (120, PAGE, says(yes=False, browser="b8")),
        settings=settings,
    )

    first, second = rows(run("preview", "--story", "-", "--json", stdin=f"{mine}\n{mine}\n"))

    assert first == second
    sent = [each["event"].get("custom_data", {}).get("order_id") for each in first["sent"] if each["at"] > 500]
    assert sent == ["7"]
    assert first["outcomes"] == ["enqueued"] * 5 + ["withheld"]
