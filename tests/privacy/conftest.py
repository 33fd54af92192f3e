"""Every engine keeps what people answered, and both alike."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.outbox.new_store import new_store


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.whole)])
def outbox_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of an empty store of each engine."""
    if request.param == "sqlite":
        yield new_store(tmp_path, "o.db")
    else:
        with request.getfixturevalue("postgres_server").database() as url:
            yield url
