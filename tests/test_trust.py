"""What is public changes nothing that is trusted: the rule, and every place where two events meet."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from itertools import product
from pathlib import Path

import pytest

from app.core.trust import kept_for_trusted, may_change, public_share
from tests.process import ROOT
from tests.rows import every_row

ASKED = {may_change.__name__, public_share.__name__, kept_for_trusted.__name__}

#: What outlives an event, and so may meet another one: the tables of both engines, and what a process holds in bounds.
#: For each: the functions that ask about trust, or why no event meets another one there.
PLACES: dict[str, list[str] | str] = {
    # de-duplication by event, order, checkout and token; withdrawal, also of orders to come; holds
    "dedup_key": ["outbox/dedup._is_repeated", "outbox/settlement.withdraws"],
    "delivery": ["outbox/dedup._is_repeated", "outbox/settlement.withdraws"],
    "queue": "a pending delivery, see delivery",
    "payload": "a delivery's finished event, see delivery",
    "kept_payload": "a delivery's finished event, see delivery",
    "dead": "a dead delivery, see delivery",
    "delivered": "a delivered delivery, see delivery",
    "attempt": "a delivery's history",
    # facts, links and suppressions of memory
    "person": [
        "identity/alias_graph._may_relink",
        "identity/alias_graph._move",
        "identity/alias_graph._gives_way",
        "identity/alias_graph._forget",
        "identity/resolution._observe",
    ],
    "suppression": ["identity/suppression._is_lifted"],
    # answers to being tracked
    "consent": ["core/consent.is_lifted", "core/consent._holds"],
    "memory_hour": "counts by public key: what is over them is left out, nothing is forgotten for it",
    "memory_size": "counts of rows, by trust",
    # bounded tables
    "quarantined": ["outbox/sealed_events.SealedEvents.trim"],
    "inventory": [
        "outbox/inventory.keep_bounds",
        "insights/inventory/counting.NameCounts._admit",
    ],
    "app/pipeline/tail.py": ["pipeline/tail.Tail._hold"],
    "app/source/rate_limits.py": "addresses of public keys only",
    # erasure asks for the relay's proof: `Intake.is_known`, see tests/source/test_trust.py
    "delivery_owner": "whose deliveries there are, found by whoever may erase",
    # what never meets
    "dropped_event": "one row an event, forgotten by age",
    "backlog": ["outbox/refusals.with_room_for_trusted"],
    "counter": "counts", "counter_hour": "counts", "counter_minute": "counts",
    "counter_sum": "counts", "name_count": "counts", "revenue": "sums, by source",
    "id_filter": "finds deliveries by their ids", "id_range": "finds deliveries by their ids",
    "audit": "what operators did", "session": "who has logged in", "shared": "what processes must know",
    "probe": "proves that a commit succeeds", "store_version": "the version of the schema",
    "app/sandbox/record.py": "what the sandbox received",
    "app/sender/batch.py": "parts of one batch",
    "app/sender/bisection.py": "parts of one batch",
    "app/source/body.py": "requests that wait for room",
    "app/pipeline/intake_batch.py": "ids of one request",
    "app/access/sessions.py": "times of wrong passwords",
    "app/outbox/sqlite/writer.py": "calls that wait for the writer",
}  # fmt: skip


@pytest.mark.parametrize(("by_trusted", "of_trusted"), tuple(product([True, False], repeat=2)))
def test_only_what_is_public_may_not_change_what_is_trusted(*, by_trusted: bool, of_trusted: bool) -> None:
    assert may_change(by_trusted=by_trusted, of_trusted=of_trusted) is not (of_trusted and not by_trusted)


@every_row(
    ("bound", "trusted", "share"),
    [(100, 0, 100), (100, 1, 50), (100, 50, 50), (100, 51, 49), (100, 100, 0), (100, 200, 0), (1, 1, 0), (0, 0, 0)],
)
def test_public_entries_have_half_of_a_bounded_table_at_most_and_what_trusted_ones_leave(
    bound: int, trusted: int, share: int
) -> None:
    assert public_share(bound, trusted=trusted) == share


@pytest.mark.slow
def test_every_place_where_two_events_meet_is_listed() -> None:
    """A new table, or a new bounded collection of a process, is a place: say in PLACES who asks about trust there."""
    schemas = "".join(path.read_text(encoding="utf-8") for path in ROOT.glob("app/outbox/*/schema/*.sql"))
    tables = set(re.findall(r"^CREATE TABLE (\w+)", schemas, re.MULTILINE))
    bounded = {
        str(path.relative_to(ROOT))
        for path in (ROOT / "app").rglob("*.py")
        if re.search(r"\b(deque|OrderedDict)[\[(]", path.read_text(encoding="utf-8"))
    }
    assert tables | bounded == PLACES.keys()


@every_row("place", sorted({each for asking in PLACES.values() if isinstance(asking, list) for each in asking}))
def test_every_place_asks(place: str) -> None:
    module, _, name = place.partition(".")
    assert ASKED & _called(ROOT / "app" / f"{module}.py", name), f"{place} asks neither of {ASKED}"


@cache
def _functions(path: Path) -> dict[str, ast.AST]:
    def found(node: ast.AST, within: str) -> Iterator[tuple[str, ast.AST]]:
        for each in ast.iter_child_nodes(node):
            if isinstance(each, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                yield within + each.name, each
                yield from found(each, f"{within}{each.name}.")

    return dict(found(ast.parse(path.read_text(encoding="utf-8")), ""))


def _called(path: Path, name: str) -> set[str]:
    calls = (each.func for each in ast.walk(_functions(path)[name]) if isinstance(each, ast.Call))
    return {each.id for each in calls if isinstance(each, ast.Name)}
