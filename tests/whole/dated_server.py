"""A server that receives, of the settings of the environment, whose clock is what a file says: Unix seconds."""

import sys
from pathlib import Path

import uvicorn

from app.config import load_settings
from app.main import Role, create_app


def main() -> None:
    clock = Path(sys.argv[1])
    settings = load_settings()
    app = create_app(settings, role=Role.RECEIVE, clock=lambda: float(clock.read_text(encoding="utf-8")))
    uvicorn.run(app, host=settings.host, port=settings.port, log_level="warning")
