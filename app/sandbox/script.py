"""Scripted misbehaviour of the sandbox: a list of steps, of which the first that applies to a call decides.

[{"status": 429, "retry_after": 1, "times": 2},         the first two calls; then as usual
 {"reset": true, "probability": 0.1, "times": null},    a tenth of all calls, for ever
 {"reject": "^bad-", "times": null},                    events whose event_id matches fail (422)
 {"poison": "^worse-", "times": null},                  a call with such an event is refused whole (400)
 {"poison": "^worst-", "status": 500, "times": null}]   a call with such an event is answered 500
"""

from collections.abc import Sequence
from functools import lru_cache
from random import Random
from typing import Annotated, Any, Literal, Self, TypeAlias

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator


@lru_cache(maxsize=64)
def compiled(pattern: str) -> Any:
    """Compile a pattern of a script with RE2, whose time is linear in the text for any pattern.

    Raises ValueError if the pattern is invalid or RE2 is not installed; the rest of the sandbox works without RE2.
    """
    try:
        import re2  # noqa: PLC0415 - of the extra `sandbox`
    except ImportError as exc:
        message = "a pattern needs RE2, of the extra `sandbox`: pip install 'pinrelay[sandbox]'"
        raise ValueError(message) from exc
    options = re2.Options()
    options.log_errors = False  # an invalid pattern is not also written to standard error
    try:
        return re2.compile(pattern, options)
    except re2.error as exc:
        message = f"is no regular expression of RE2: {exc}"
        raise ValueError(message) from exc


def _pattern(text: str) -> str:
    compiled(text)
    return text


Pattern = Annotated[str, AfterValidator(_pattern)]
#: The calls of a step: those that send events, or those that request deletions.
CallKind: TypeAlias = Literal["events", "deletions"]


class Step(BaseModel):
    """A kind of misbehaviour, and the calls that it applies to."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    # The misbehaviour
    status: int | None = Field(
        default=None, ge=100, le=599, description="answer this, with Pinterest's code and message"
    )
    retry_after: int | str | None = Field(default=None, description="header of that answer: seconds or an HTTP date")
    body: str | None = Field(
        default=None, description="answer this text, of no matter what type (status 200 unless given)"
    )
    half: bool = Field(default=False, description="answer the half and cut the connection")
    reset: bool = Field(default=False, description="cut the connection without an answer")
    record: bool = Field(default=False, description="process the events all the same")
    delay_s: float = Field(default=0, ge=0, description="wait before anything else")
    reject: Pattern | None = Field(
        default=None, description="events whose event_id matches fail, the others are processed"
    )
    poison: Pattern | None = Field(
        default=None,
        description="only calls with an event whose event_id matches; they are refused whole (400) unless the step "
        "has another answer",
    )

    # The calls
    to: CallKind = Field(default="events", description="the calls that it is about; deletions have no events")
    probability: float = Field(default=1, ge=0, le=1, description="of applying to a call")
    times: int | None = Field(default=1, ge=1, description="how often it applies; null is for ever")

    @property
    def matches(self) -> str | None:
        """Return the pattern that a call must match for the step."""
        return self.reject or self.poison

    @model_validator(mode="after")
    def _one_answer(self) -> Self:
        answers = (self.status is not None or self.body is not None, self.half, self.reset, self.reject)
        if sum(map(bool, answers)) > 1 or (self.reject and self.poison):
            message = (
                "status or body, half, reset and reject exclude each other, poison and reject too: make several steps"
            )
            raise ValueError(message)
        if self.to == "deletions" and self.matches:
            message = "reject and poison look at events, of which a call to delete has none"
            raise ValueError(message)
        return self


class Orders(BaseModel):
    """A script of misbehaviour: the body of `PUT /sandbox/script`."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    steps: list[Step]
    seed: int = Field(default=0, description="of the dice for `probability`")


class Script:
    """Executes the script, call by call."""

    def __init__(self, orders: Orders) -> None:
        self._rng = Random(orders.seed)  # noqa: S311 - dice of a test double
        self._left = [(step, step.times) for step in orders.steps]

    def next(self, event_ids: Sequence[str], to: CallKind = "events") -> Step | None:
        """Return the step for a call with these events, and count its use; `None` for the usual behaviour."""
        for place, (step, times) in enumerate(self._left):
            if times == 0 or step.to != to or not _concerns(step, event_ids) or self._rng.random() >= step.probability:
                continue
            self._left[place] = (step, None if times is None else times - 1)
            return step
        return None


def _concerns(step: Step, event_ids: Sequence[str]) -> bool:
    return step.matches is None or any(map(compiled(step.matches).search, event_ids))
