"""The SQL of an engine stands in files of its own, as it is run."""

import re

_NAME = re.compile(r"^-- (\w+) --$", re.MULTILINE)


def named_queries(text: str) -> dict[str, str]:
    """Split the text of a file of queries: each begins with a line `-- name --`, comments follow it."""
    _, *parts = _NAME.split(text)
    return dict(zip(parts[::2], parts[1::2], strict=True))
