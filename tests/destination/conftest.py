"""What the tests of this room share."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.destination.pinterest_schema import event_judge


@pytest.fixture(scope="session")
def judged_by_pinterest() -> Callable[[dict[str, Any]], list[str]]:
    """`judged_by_pinterest(event)` lists what Pinterest's schema has against the event."""
    return event_judge()
