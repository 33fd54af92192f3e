"""A server of the settings of the environment, whose clock is off by as many seconds as a file says."""

import sys
import time
from collections.abc import Callable
from pathlib import Path

import uvicorn

from app.config import load_settings
from app.core.log import configure_logging
from app.main import create_app

#: How long what the file said is believed: to read it at each question would take longer than all the rest.
_BELIEVED_S = 0.2


def clock_off_by(file: Path) -> Callable[[], float]:
    """Return a clock that is off by what the file says now."""
    off_s, read_at = 0.0, float("-inf")

    def clock() -> float:
        nonlocal off_s, read_at
        if time.monotonic() - read_at > _BELIEVED_S:
            off_s, read_at = float(file.read_text(encoding="utf-8")), time.monotonic()
        return time.time() + off_s

    return clock


def main() -> None:
    settings = load_settings()
    configure_logging(settings.log_format, settings.log_level)
    app = create_app(settings, clock=clock_off_by(Path(sys.argv[1])))
    uvicorn.run(app, host=settings.host, port=settings.port, log_level="warning", access_log=False)
