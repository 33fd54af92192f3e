"""How the interface for operators answers: JSON, and one status for each kind of trouble."""

from collections.abc import Awaitable
from dataclasses import asdict
from typing import Any

import orjson
from fastapi import HTTPException, Response

from app.errors import FilterError, OutboxUnavailable, UnknownAdAccount, UnknownPreset


def unavailable(exc: OutboxUnavailable) -> HTTPException:
    """Return what is answered where the outbox cannot be used."""
    return HTTPException(503, str(exc), {"Retry-After": str(exc.retry_after_s)})


async def api_answer(work: Awaitable[Any], name: str = "", *, missing: str = "there is no such delivery") -> Response:
    """Return what the outbox says as an answer; `name` wraps a plain value, `missing` says what None means.

    Raises HTTPException where the outbox cannot be used or finds nothing, and for what cannot be asked.
    """
    try:
        result = await work
    except OutboxUnavailable as exc:
        raise unavailable(exc) from exc
    except (UnknownPreset, UnknownAdAccount) as exc:
        raise HTTPException(404, str(exc)) from exc
    except FilterError as exc:
        raise HTTPException(400, str(exc)) from exc
    except ValueError as exc:
        raise HTTPException(400, "the cursor or id cannot be read") from exc
    if name:
        return api_json({name: True if result is None else result})
    if result is None:
        raise HTTPException(404, missing)
    return api_json(result if isinstance(result, dict) else asdict(result))


def api_json(value: Any, status: int = 200) -> Response:
    """Return a value as an answer of JSON."""
    text = orjson.dumps(value, default=lambda other: bytes(other).decode())
    return Response(text, status, media_type="application/json")
