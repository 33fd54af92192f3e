"""What the tests of the server share."""

import gc
from collections.abc import Iterator

import pytest


@pytest.fixture
def tuned_back() -> Iterator[None]:
    """Take back what the application does to the interpreter."""
    thresholds = gc.get_threshold()
    yield
    gc.set_threshold(*thresholds)
    gc.unfreeze()
