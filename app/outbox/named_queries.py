"""The SQL of an engine stands in files of its own, as it is run."""

import re

_NAME = re.compile(r"^-- (\w+) --$", re.MULTILINE)


def named_queries(text: str, **parts: str) -> dict[str, str]:
    """Split the text of a file of queries: each begins with a line `-- name --`, comments follow it.

    The text of each part, a file of its own, is put wherever `/* its name */` stands.
    """
    for part, its_text in parts.items():
        text = text.replace(f"/* {part} */", f"\n{its_text}")
    _, *split = _NAME.split(text)
    return dict(zip(split[::2], split[1::2], strict=True))
