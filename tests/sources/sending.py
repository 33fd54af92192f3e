"""A request to a shipped source, and everything that comes of it."""

from collections.abc import Iterable
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

import httpx
import orjson
from fastapi import FastAPI

from app.catalog.sources import RunningSources, SourceSecrets
from app.config.settings import SenderSettings
from app.core.receipts import PresetResult, Receipt
from app.errors import EventRefused
from app.pipeline.receipts import receipt_of_refusal
from app.source import Intake
from app.source.named_sources import named_sources_router, webhook_source
from tests.assembled import pipeline
from tests.process import ROOT
from tests.source.door import limits, source_requests

#: When requests arrive.
NOW = datetime.fromisoformat("2026-11-25T10:15:05+00:00").timestamp()


class Heard:
    """Takes events for committed, and keeps what they are."""

    def __init__(self) -> None:
        self.events: list[Any] = []
        self.sources: list[str] = []
        self.are_trusted: list[bool] = []
        self.are_known: list[bool] = []

    async def accept(self, intake: Intake) -> Receipt:
        assert intake.now == NOW
        self.sources.append(intake.source)
        self.are_trusted.append(intake.is_trusted)
        self.are_known.append(intake.is_known)
        self.events += intake.events
        return Receipt(events=())


def shipped(names: list[str], environ: dict[str, str], folder: Path = ROOT / "sources") -> RunningSources:
    """Return these sources of a folder, whose faults are raised."""
    return RunningSources(folder, SourceSecrets(environ, min_characters=16), limits(), names=names, on_fault=_fail)


def _fail(fault: str) -> None:
    raise AssertionError(fault)


def served(heard: Any, running: RunningSources) -> FastAPI:
    """Return an application with named sources only."""
    app = FastAPI()
    default = webhook_source(SenderSettings.model_construct(), is_open=False)
    webhook = source_requests(heard, running.sources, default, now=NOW)
    running.on_change = webhook.sources.take
    app.include_router(named_sources_router(webhook))
    return app


def served_once(case: dict[str, Any]) -> tuple[FastAPI, Heard]:
    """Return an application with the source of a case, made once for all cases of its secrets, and who hears it."""
    app, heard = _served_once(case["source"], *case["secrets"].items())
    for kept in vars(heard).values():
        kept.clear()
    return app, heard


@cache
def _served_once(source: str, *secrets: tuple[str, str]) -> tuple[FastAPI, Heard]:
    heard = Heard()
    return served(heard, shipped([source], dict(secrets))), heard


async def post(app: FastAPI, source: str, request: dict[str, Any]) -> httpx.Response:
    """Send a case's request as it stands."""
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://pinrelay.example") as http:
        path = f"/webhook/{source}{request.get('query', '')}"
        return await http.post(path, headers=request["headers"], content=content_of(request))


async def sent_by(case: dict[str, Any]) -> tuple[int, list[dict[str, Any]]]:
    """Return the status of a case's answer, and for each delivery what is sent to Pinterest, or why nothing is."""
    app, heard = served_once(case)
    answer = await post(app, case["source"], case["request"])
    lines = [event if isinstance(event, EventRefused) else pipeline().preview(event, now=NOW) for event in heard.events]
    return answer.status_code, told_of(lines)


def told_of(events: Iterable[list[PresetResult] | EventRefused]) -> list[dict[str, Any]]:
    """Return, for each delivery of these events, what is sent to Pinterest, or why nothing is."""
    told: list[dict[str, Any]] = []
    for event in events:
        if isinstance(event, EventRefused):
            (line,) = receipt_of_refusal(event).deliveries
            told.append({"outcome": line.outcome.value, "reason": line.reason})
        else:
            told += [_told(line) for line in event]
    return told


def content_of(request: dict[str, Any]) -> bytes:
    """Return the body of a case's request: it is signed as it is written here."""
    return request["form"].encode() if "form" in request else orjson.dumps(request["body"])


def _told(line: PresetResult) -> dict[str, Any]:
    told: dict[str, Any] = {"preset": line.preset, "outcome": line.outcome.value}
    return told | ({"event": line.event, "warnings": list(line.warnings)} if line.event else {"reason": line.reason})
