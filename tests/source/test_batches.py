"""What a batch says of all its events, in each of them."""

import orjson
import pytest

from app.source import Arrival
from app.source.body import read_body, read_events
from tests.source.door import NOW, limits

ARRIVAL = Arrival.at(NOW, new_id=lambda: "made")


@pytest.mark.parametrize("pad", [0, 60_000, 70_000, 200_000])
@pytest.mark.parametrize("events", [1, 3_000])
@pytest.mark.parametrize("name", ["context", "integrations"])
def test_the_consent_of_a_batch_is_that_of_each_event_however_large_it_is(name: str, events: int, pad: int) -> None:
    common = {"consent": {"categoryPreferences": {"ads": False}}, "pad": "x" * pad}
    raw = orjson.dumps({"batch": [{"type": "page", "messageId": "m", "name": "x" * 50}] * events, name: common})

    read = list(read_events(read_body(raw, max_events=4_000), limits(), ARRIVAL))

    assert [one[name] == common for one in read if isinstance(one, dict)] == [True] * events
