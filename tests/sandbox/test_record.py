"""What was received is counted exactly, also across restarts."""

from pathlib import Path

import orjson

from app.sandbox.record import Record, RecordedCall
from tests.sandbox.events import numbered, pinterest_event


def test_duplicates_repeat_id_and_name_and_offline_ones_are_counted_apart() -> None:
    record = Record()
    record.add(
        [
            pinterest_event(event_id="1"),
            pinterest_event(event_id="1", event_name="signup"),
            pinterest_event(event_id="1"),
            pinterest_event(event_id="1", action_source="offline"),
        ]
    )

    state = record.state()

    assert (state["received"], state["duplicates"], state["offline_duplicates"]) == (4, 2, 1)
    assert state["by_event_name"] == {"checkout": 3, "signup": 1}
    assert [event["action_source"] for event in record.duplicates(limit=9)] == ["offline", "web"]


def test_the_newest_are_kept_and_all_are_counted() -> None:
    record = Record(keep=3)
    record.add(numbered(10))

    assert [event["event_id"] for event in record.events(limit=2)] == ["order-9", "order-8"]
    assert record.events(limit=9, event_id="order-7")[0]["event_id"] == "order-7"
    assert record.events(limit=9, event_id="order-1") == []
    assert record.state()["received"] == 10


def test_of_so_many_events_it_is_known_that_they_came_before_and_memory_is_bounded() -> None:
    record = Record(remembered=10)
    record.add(numbered(100))

    record.add(numbered(10, start=90))
    assert record.state()["duplicates"] == 10
    record.add(numbered(10))
    assert record.state()["duplicates"] == 10
    assert record.state()["received"] == 120


def test_calls_are_counted_by_status() -> None:
    record = Record()
    for status, test in ((200, False), (200, True), (None, False)):
        record.called(RecordedCall(at=1.0, status=status, events=1, recorded=0, test=test))

    assert record.state()["by_status"] == {"200": 2, "cut": 1}
    assert (record.state()["calls"], record.state()["test_calls"]) == (3, 1)
    assert record.calls(limit=1) == [{"at": 1.0, "status": None, "events": 1, "recorded": 0, "test": False}]


def test_a_file_keeps_the_count_across_restarts(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "received.ndjson"
    first = Record(path=path)
    first.add(numbered(3))
    first.close()

    second = Record(path=path)
    second.add(numbered(2, start=2))
    second.close()

    assert (second.state()["received"], second.state()["duplicates"]) == (5, 1)
    assert [orjson.loads(line)["event_id"] for line in path.read_bytes().splitlines()] == [
        "order-0",
        "order-1",
        "order-2",
        "order-2",
        "order-3",
    ]


def test_a_line_that_a_crash_left_unfinished_was_never_confirmed_and_is_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "received.ndjson"
    whole = orjson.dumps(pinterest_event()) + b"\n"
    path.write_bytes(whole + b'{"event_id": "or')

    record = Record(path=path)
    record.add([])
    record.close()

    assert record.state()["received"] == 1
    assert path.read_bytes() == whole
