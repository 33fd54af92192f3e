"""Counts as people read them."""


def count_of(count: int, one: str, many: str | None = None) -> str:
    """Return a count with its word; `many` is `one` with an s where it is None.

    >>> count_of(1, "event"), count_of(12_034, "event"), count_of(0, "delivery", "deliveries")
    ('1 event', '12,034 events', '0 deliveries')
    """
    return f"{count:,} {one if count == 1 else many or one + 's'}"
