"""Events as real sources send them, each a file: the whole event, and the whole Pinterest event that is made of it.

`hashed` holds what is hashed of a person in its readable form, `plain` the rest of `user_data`.
"""

import hashlib
from datetime import datetime
from pathlib import Path

import orjson
import pytest

from app.source import read_raw_event
from tests.assembled import pipeline

CASES = sorted((Path(__file__).parent / "shapes").glob("*.json"))
#: When the events arrive.
NOW = datetime.fromisoformat("2026-11-25T10:15:05+00:00").timestamp()


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.stem)
def test_an_event_of_this_shape_gives_this_pinterest_event(case: Path) -> None:
    expected = orjson.loads(case.read_bytes())
    event = read_raw_event(orjson.dumps(expected["event"]), now=NOW)

    (line,) = pipeline().preview(event, now=NOW)

    digests = {
        name: [hashlib.sha256(text.encode()).hexdigest() for text in texts]
        for name, texts in expected["hashed"].items()
    }
    assert line.event == {**expected["sent"], "user_data": digests | expected["plain"]}
    assert list(line.warnings) == expected["warnings"]


def test_there_is_a_case_of_every_kind_of_source() -> None:
    assert len(CASES) >= 8
