"""How long things last, in seconds."""

from typing import Final

MINUTE_S: Final = 60
HOUR_S: Final = 3_600
DAY_S: Final = 86_400

#: The longest hold of a preset: Pinterest wants web and app events within an hour.
MAX_HOLD_S: Final = 55 * MINUTE_S


def hold_text(seconds: float) -> str:
    """Return how long a hold is, as presets write it.

    >>> hold_text(1_800), hold_text(90)
    ('30m', '90s')
    """
    return f"{seconds / MINUTE_S:.0f}m" if seconds % MINUTE_S == 0 else f"{seconds:.0f}s"
