"""How the interface for operators answers: JSON, and one status for each kind of trouble."""

from collections.abc import Awaitable, Iterable
from dataclasses import asdict
from typing import Annotated, Any, Final, Literal, TypeAlias

import orjson
from fastapi import HTTPException, Response
from pydantic import Field, WithJsonSchema

from app.errors import FeatureOff, FilterError, OutboxUnavailable, UnknownName, WhyMissing

_DAY_OF_YEAR = "(0[13578]|1[02])-(0[1-9]|[12][0-9]|3[01])|(0[469]|11)-(0[1-9]|[12][0-9]|30)|02-(0[1-9]|1[0-9]|2[0-8])"
#: How the OpenAPI document says what a time may be; `read_filters` takes ISO 8601 in other forms too.
_TIMES: tuple[dict[str, Any], ...] = (
    {"type": "string", "pattern": f"^20[0-9]{{2}}-({_DAY_OF_YEAR})(T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]Z)?$"},
    {"type": "string", "pattern": "^1[0-9]{9}$"},
    {"type": "null"},
)
#: A time by which a search is narrowed; None where it is not.
TimeFilter: TypeAlias = Annotated[str | None, WithJsonSchema({"anyOf": list(_TIMES)})]
#: Any other text by which a search is narrowed; None where it is not. An empty one is refused: it would mean all.
TextFilter: TypeAlias = Annotated[str, Field(pattern=r"\S")] | None
#: Whether something holds of what is searched for; None where that is not asked.
YesOrNo: TypeAlias = Literal["yes", "no"] | None
#: What is answered where a request has no filter, and does not mean all.
NOTHING_ASKED_FOR: Final = 'give a filter, or {"all": true}'


def a_filter_or_all(names: Iterable[str]) -> dict[str, Any]:
    """Return how the OpenAPI document says that a request with none of these filters, and without `all`, is refused."""
    return {
        "anyOf": [
            *({"required": [name], "properties": {name: {"type": "string"}}} for name in names),
            {"required": ["all"], "properties": {"all": {"const": True}}},
        ]
    }


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
    except (UnknownName, FeatureOff) as exc:
        raise HTTPException(404, str(exc)) from exc
    except (FilterError, WhyMissing) as exc:
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
