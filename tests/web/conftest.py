"""What the tests of the server share."""

import gc
from collections.abc import Iterator

import pytest


@pytest.fixture
def tuned_back() -> Iterator[None]:
    """Take back how often the application lets garbage be looked for; what it froze stays so, with all the tests."""
    thresholds = gc.get_threshold()
    yield
    gc.set_threshold(*thresholds)
