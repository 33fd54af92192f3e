"""What identity memory costs: CPU an event with it and without, and the size of what is remembered.

    python bench/memory.py [--people 100000] [--outbox URL]

So many people are remembered first, each with a user, a browser, an e-mail address and a click. Then orders and pages
of people drawn at random are accepted, in arrays and one by one, by turns with memory and without, each into a file of
its own, with `--outbox` all into that one. CPU time is that of this process, with the thread that commits.
"""

import argparse
import asyncio
import itertools
import random
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from app import assemble
from app.config import Settings, load_settings
from app.outbox import Outbox, open_outbox
from app.policies import outbox_rules
from app.receiving.pipeline import Pipeline
from app.types import MarkChange, PeopleChanges, PersonChange

ROOT = Path(__file__).parents[1]
NOW = 1_800_000_000.0
SECRET = "a secret for measuring, long enough"
ARRAY = 500
ROUNDS = 4
#: Remembered with one commit.
TOGETHER = 5_000


def configured(url: str, *, days: int) -> Settings:
    """Return settings with memory, or without it (0 days)."""
    return load_settings(
        presets_dir=(ROOT / "presets",),
        mappings_dir=(ROOT / "mappings",),
        outbox_url=url,
        remember_days=days,
        remember_max_people=20_000_000,
        remember_secret=SECRET,
        max_event_age_days=3650,
        dedup_orders=False,
    )


async def remember(outbox: Outbox, settings: Settings, people: int) -> None:
    """Let the store remember people, as if each had come, clicked and logged in."""
    keys = assemble.encounter_reader(settings)
    numbers = iter(range(people))
    while some := list(itertools.islice(numbers, TOGETHER)):
        changes = []
        for number in some:
            user, browser = keys.keys({"type": "track", "userId": f"u{number}", "anonymousId": f"a{number}"})
            fact = f'{{"members":{{"em":["{number:064x}"]}},"at":{NOW},"by":"identify"}}'
            click = f'{{"members":{{"click_id":"dj0{number:020d}"}},"at":{NOW},"by":"page"}}'
            link = f'{{"to":"{user}","at":{NOW},"is_followed":true}}'
            stamps: dict[str, Any] = {"seen_at": NOW, "stale_at": NOW + 60 * 86_400, "revision": 0}
            changes += [
                PersonChange(key=user, record=f'{{"facts":{{"em":{fact}}},"link":null}}', **stamps),
                PersonChange(
                    key=browser,
                    linked_to=user,
                    linked_at=NOW,
                    record=f'{{"facts":{{"click":{click}}},"link":{link}}}',
                    **stamps,
                ),
            ]
        changes.sort(key=lambda change: change.key)
        marks = [MarkChange(key=change.key, was=None, at=None) for change in changes]
        await outbox.enqueue([], [], [], now=NOW, people=PeopleChanges(people=changes, marks=marks))


def events(people: int, count: int, turn: int, name: str) -> list[dict[str, Any]]:
    """Return orders and pages of people drawn at random; under another name the same, each with another id."""
    rng = random.Random(turn)
    person = {"ip": "203.0.113.9", "userAgent": "Mozilla/5.0 (X11; Linux x86_64)"}
    made = []
    for number in range(count):
        who, own_id = rng.randrange(people), f"{name}-{turn}-{number}"
        ids = {"userId": f"u{who}"} if number % 2 else {"anonymousId": f"a{who}"}
        event: dict[str, Any] = {"messageId": own_id, "timestamp": NOW + 60, "context": person, **ids}
        order = {"order_id": own_id, "revenue": 20, "currency": "USD"}
        track = {"type": "track", "event": "Order Completed", "properties": order}
        made.append(event | (track if number % 2 else {"type": "page"}))
    return made


async def cost_us(pipeline: Pipeline, made: list[dict[str, Any]], together: int) -> float:
    """Return the CPU time of this process an event, in microseconds."""
    begun = time.process_time()
    for start in range(0, len(made), together):
        await pipeline.accept(made[start : start + together], now=NOW + 60, is_proven=True)
    return (time.process_time() - begun) / len(made) * 1e6


async def measure(url: str | None, people: int) -> None:
    """Print the cost with memory and without."""
    with tempfile.TemporaryDirectory() as folder:
        stores = {name: url or f"sqlite:///{folder}/{name}.db" for name in ("with", "without")}
        pipelines, outboxes = {}, {}
        for name, store in stores.items():
            settings = configured(store, days=90 if name == "with" else 0)
            outboxes[name] = open_outbox(store, outbox_rules(settings), clock=lambda: NOW)
            pipelines[name] = assemble.pipeline(settings, outbox=outboxes[name])
        await remember(outboxes["with"], configured(stores["with"], days=90), people)
        print(f"{people:,} people remembered")
        for together, count, called in ((ARRAY, 2_000, f"arrays of {ARRAY}"), (1, 200, "one by one")):
            costs: dict[str, list[float]] = {name: [] for name in stores}
            for turn in range(ROUNDS):
                for name, pipeline in pipelines.items():
                    made = events(people, count, turn + together * 100, name)
                    costs[name].append(await cost_us(pipeline, made, together))
            least = {name: min(found[1:]) for name, found in costs.items()}
            more = least["with"] - least["without"]
            both = f"with {least['with']:6.1f} us, without {least['without']:6.1f} us"
            print(f"{called:14} {both}: {more:6.1f} us more an event")
        for outbox in outboxes.values():
            await outbox.close()
        if not url:
            print(f"{size_of(folder) / people:.0f} bytes of the file a person")


def size_of(folder: str) -> int:
    """Return the size of the store with memory, in bytes."""
    return sum(file.stat().st_size for file in Path(folder).glob("with.db*"))


def main() -> None:
    """Read the command line and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--people", type=int, default=100_000, help="how many are remembered first")
    parser.add_argument("--outbox", help="URL of an empty PostgreSQL database; without: a file")
    options = parser.parse_args(sys.argv[1:])
    asyncio.run(measure(options.outbox, options.people))


if __name__ == "__main__":
    main()
