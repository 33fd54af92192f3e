"""`pinrelay tag-check`, over a real store."""

import json
import time
from pathlib import Path

from app.core.shared_values import TAG_CALLS, TagCall, TagCalls
from app.outbox import Outbox
from tests.commands.conftest import Run
from tests.commands.stored import in_outbox
from tests.outbox.build import new


async def _nothing(_: Outbox) -> None:
    pass


async def _reported(outbox: Outbox) -> None:
    now = time.time()
    await outbox.enqueue(
        [new(event_id="ours", message_id="ours", order_id="A-1", amount="20", currency="EUR")], [], [], now=now
    )
    calls = (TagCall(event="checkout", event_id="theirs", order_id="A-1"), TagCall(event="checkout", event_id="ours"))
    await TAG_CALLS.of("0").write(outbox, TagCalls(at=int(now), calls=calls, more=3))


def test_it_says_what_counts_twice_and_what_to_change(run: Run, tmp_path: Path) -> None:
    in_outbox(tmp_path, _nothing)
    assert "No page reported its tag in these days. Set TAG_CHECK=true" in " ".join(run("tag-check").stdout.split())
    in_outbox(tmp_path, _reported)
    shown = " ".join(run("tag-check").stdout.split())
    for text in (
        "20 EUR",
        "checkout: Give the tag the event id that Pinrelay sends, or remove its checkout call.",
        "The page gives the tag the id of the message",
        "3 more calls were reported and not looked at.",
    ):
        assert text in shown
    told = json.loads(run("tag-check", "--json").stdout)
    assert (told["not_looked_at"], told["tag_gets_message_ids"]) == (3, True)
    (line,) = told["events"]
    names = ("event", "tag", "one_id", "two_ids", "tag_alone", "worth_twice")
    assert [line[name] for name in names] == ["checkout", 2, 1, 1, 0, {"EUR": "20"}]


async def _one_id(outbox: Outbox) -> None:
    now = time.time()
    await outbox.enqueue([new(event_id="own", event_name="lead", preset="Lead")], [], [], now=now)
    calls = (TagCall(event="lead", event_id="own"), TagCall(event="signup"))
    await TAG_CALLS.of("0").write(outbox, TagCalls(at=int(now), calls=calls))


def test_what_counts_once_needs_no_advice(run: Run, tmp_path: Path) -> None:
    in_outbox(tmp_path, _one_id)
    shown = run("tag-check").stdout
    assert "lead" in shown
    assert "signup" in shown
    for text in ("Give the tag", "the id of the message", "not looked at"):
        assert text not in shown
