"""The received data, for inspection: permanent counts, and the newest events and calls in full.

Memory is bounded: duplicates are recognised among at least the newest `remembered` events.
"""

import os
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any

import orjson

#: Each entry takes some 100 bytes, and up to twice as many are stored.
REMEMBERED = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedCall:
    """A request with the result of its response."""

    at: float
    #: `None` if the connection was cut.
    status: int | None
    #: The number of events in the request, as far as it was readable.
    events: int
    #: Processed and stored events.
    recorded: int
    test: bool


class Record:
    """Counts and stores events.

    With a `path`, recorded events are appended there (NDJSON) and counted again at the next start.

    A line is written before the response, so that a killed process has counted all confirmed events.
    """

    def __init__(self, *, keep: int = 1_000, remembered: int = REMEMBERED, path: Path | None = None) -> None:
        self._events: deque[dict[str, Any]] = deque(maxlen=keep)
        self._duplicates: deque[dict[str, Any]] = deque(maxlen=keep)
        self._calls: deque[RecordedCall] = deque(maxlen=keep)
        self._statuses: Counter[str] = Counter()
        self._names: Counter[str] = Counter()
        self._counts: Counter[str] = Counter()
        self._remembered = remembered
        #: The keys of the newest events, and of those before them.
        self._seen: set[bytes] = set()
        self._seen_before: set[bytes] = set()
        if path:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._restore(path)
        self._file = path.open("ab", buffering=0) if path else None

    def add(self, events: Sequence[dict[str, Any]]) -> None:
        """Count and store processed events, in order."""
        if self._file and events:
            self._file.write(b"".join(orjson.dumps(event) + b"\n" for event in events))
        for event in events:
            self._count(event)

    def called(self, call: RecordedCall) -> None:
        """Record a call with its response."""
        self._calls.append(call)
        self._statuses["cut" if call.status is None else str(call.status)] += 1
        self._counts["calls"] += 1
        self._counts["test_calls"] += call.test

    def state(self) -> dict[str, Any]:
        """Return the counts.

        A duplicate repeats (event_id, event_name); Pinterest counts an offline duplicate twice.
        """
        counts = {name: self._counts[name] for name in ("received", "duplicates", "offline_duplicates")}
        calls = {name: self._counts[name] for name in ("calls", "test_calls")}
        return {**counts, **calls, "by_status": dict(self._statuses), "by_event_name": dict(self._names)}

    def events(self, *, limit: int, event_id: str | None = None) -> list[dict[str, Any]]:
        """Return the newest stored events, newest first."""
        found = (event for event in reversed(self._events) if event_id in (None, event["event_id"]))
        return [event for event, _ in zip(found, range(limit), strict=False)]

    def duplicates(self, *, limit: int) -> list[dict[str, Any]]:
        return list(reversed(self._duplicates))[:limit]

    def calls(self, *, limit: int) -> list[dict[str, Any]]:
        return [asdict(call) for call in list(reversed(self._calls))[:limit]]

    def close(self) -> None:
        """Close the file."""
        if self._file:
            self._file.close()

    def _count(self, event: dict[str, Any]) -> None:
        key = blake2b(f"{event['event_id']}\n{event['event_name']}".encode(), digest_size=12).digest()
        if key in self._seen or key in self._seen_before:
            self._counts["duplicates"] += 1
            self._counts["offline_duplicates"] += event["action_source"] == "offline"
            self._duplicates.append(event)
        self._seen.add(key)
        if len(self._seen) >= self._remembered:
            self._seen, self._seen_before = set(), self._seen
        self._events.append(event)
        self._counts["received"] += 1
        self._names[event["event_name"]] += 1

    def _restore(self, path: Path) -> None:
        """Count the events in the file, and remove an incomplete last line of a crash."""
        if not path.exists():
            return
        whole = 0
        with path.open("rb") as lines:
            for line in lines:
                if line.endswith(b"\n"):
                    self._count(orjson.loads(line))
                    whole += len(line)
        os.truncate(path, whole)
