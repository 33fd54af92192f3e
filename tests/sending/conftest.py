"""What goes wrong while sending."""

import pytest


@pytest.fixture
def errors() -> list[Exception]:
    """What was reported: its `append` is an `on_error`."""
    return []
