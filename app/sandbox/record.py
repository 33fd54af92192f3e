"""What the sandbox received, for inspection: counts for ever, the newest events and calls in full.

Memory is bounded: whether an event came before is known of the newest `remembered` of them at least.
"""

import os
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any

import orjson

#: Each takes some 100 bytes, and up to twice as many are remembered.
REMEMBERED = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedCall:
    """One request, and how it was answered."""

    at: float
    #: None where the connection was cut.
    status: int | None
    #: In the request, as far as it could be read.
    events: int
    #: Processed and kept.
    recorded: int
    test: bool


class Record:
    """Counts and keeps. With a `path`, recorded events are appended there (NDJSON) and counted again at the next start.

    A line is written before the call is answered, so that a killed process has counted what it confirmed.
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
        """Count and keep events that were processed, in their order."""
        if self._file and events:
            self._file.write(b"".join(orjson.dumps(event) + b"\n" for event in events))
        for event in events:
            self._count(event)

    def called(self, call: RecordedCall) -> None:
        """Keep that a call was made and answered."""
        self._calls.append(call)
        self._statuses["cut" if call.status is None else str(call.status)] += 1
        self._counts["calls"] += 1
        self._counts["test_calls"] += call.test

    def state(self) -> dict[str, Any]:
        """Return the counts. A duplicate repeats (event_id, event_name); Pinterest counts an offline one twice."""
        counts = {name: self._counts[name] for name in ("received", "duplicates", "offline_duplicates")}
        calls = {name: self._counts[name] for name in ("calls", "test_calls")}
        return {**counts, **calls, "by_status": dict(self._statuses), "by_event_name": dict(self._names)}

    def events(self, *, limit: int, event_id: str | None = None) -> list[dict[str, Any]]:
        """Return the newest kept events, newest first."""
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
        """Count what is in the file, and cut off a last line that a crash left unfinished."""
        if not path.exists():
            return
        whole = 0
        with path.open("rb") as lines:
            for line in lines:
                if line.endswith(b"\n"):
                    self._count(orjson.loads(line))
                    whole += len(line)
        os.truncate(path, whole)
