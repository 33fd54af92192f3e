"""Names as they are kept: what is remembered of them stays small."""

import tracemalloc

import pytest

from app.pipeline.received_names import received_name


@pytest.mark.slow
def test_names_as_long_as_a_request_are_not_remembered() -> None:
    tracemalloc.start()
    for number in range(50):
        title = received_name({"type": "track", "event": f"{number} {'x' * 100_000}"})
        assert len(title) < 200
    kept_bytes, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert kept_bytes < 1_000_000
