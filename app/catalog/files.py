"""The content of preset and mapping files, from which editors get their JSON Schemas."""

from datetime import UTC, datetime
from pathlib import PurePath
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

STRICT = ConfigDict(extra="forbid", strict=True, frozen=True)
#: The possible results of a test: the outcomes before events are stored. A source only has `accepted` and `refused`.
TestedOutcome = Literal["accepted", "refused", "unmatched", "withheld", "matched", "enqueued", "invalid"]


class Expected(BaseModel):
    """The expected result of a test. Only the outcome and the given members are compared."""

    model_config = STRICT

    outcome: TestedOutcome | None = Field(
        None, description="How the event leaves: enqueued if not given; in the file of a source accepted."
    )
    fields: dict[str, Any] = Field(
        default_factory=dict,
        description="By path, such as custom_data.contents.0.id: a value, or {present: true}, {absent: true}, "
        '{matches: "SO-*"} or {digest: ada@example.com}.',
    )
    warnings: list[str] | None = Field(None, description="Each warning, or a part of it. []: none.")
    events: int | None = Field(None, ge=0, description="How many events are sent; of a source: how many it makes.")
    enabled: bool | None = Field(None, description="Whether the preset is on. Only `pinrelay test` compares it.")


class TestRow(BaseModel):
    """A variation of a test's event, and its result."""

    __test__ = False  # pytest collects classes by this prefix
    model_config = STRICT

    set: dict[str, Any] = Field(
        min_length=1, description="Values by path in the event, such as properties.coupon: X. null counts as absent."
    )
    outcome: TestedOutcome | None = Field(None, description="As in `expect`.")
    fields: dict[str, Any] = Field(default_factory=dict, description="As in `expect`.")


class FileTest(BaseModel):
    """A test of a preset, mapping or source. It runs under the default settings and those that it sets."""

    model_config = STRICT

    name: str = Field(min_length=1, max_length=120, description="For people: what should happen.")
    event: dict[str, Any] | list[Any] | None = Field(
        None, description="The event; of a source the body of a request. A preset without one tests its `example`."
    )
    file: str | None = Field(None, min_length=1, description="A file with it, beside this one or below.")
    example: str | None = Field(
        None, pattern=r"^[^/]+/[^/]+$", description="SOURCE/TEST: what a shipped source makes in the test of that name."
    )
    headers: dict[str, str] = Field(default_factory=dict, description="Of the request to a source.")
    query: str = Field("", description="Of the request to a source, without the question mark.")
    event_name: str = Field("custom", description="In a mapping file: the event that a preset would send.")
    settings: dict[str, str | bool | int | float] = Field(
        default_factory=dict, description="Settings about events, such as DEFAULT_COUNTRY: US."
    )
    source: str = Field("default", description="Name of the source that the event comes from.")
    trust: Literal["secret", "public"] = Field("secret", description="Whether its sender is known by a secret.")
    now: str | None = Field(None, description="When it arrives, such as 2026-11-25T10:15:05Z; else at its own time.")
    expect: Expected = Field(default_factory=lambda: Expected.model_validate({}), description="What should come of it.")
    rows: list[TestRow] = Field(
        default_factory=list, description="Variations of the event: each changes some values and expects some fields."
    )

    @field_validator("now")
    @classmethod
    def _is_time(cls, text: str | None) -> str | None:
        if text is not None:
            try:
                datetime.fromisoformat(text)
            except ValueError as exc:
                raise ValueError(f"{text!r} is no time: write it as 2026-11-25T10:15:05Z") from exc
        return text

    @field_validator("file")
    @classmethod
    def _is_beside(cls, text: str | None) -> str | None:
        if text is not None and (PurePath(text).is_absolute() or ".." in PurePath(text).parts):
            raise ValueError(f"{text!r} is not beside this file or below: put it there, and give its path from here")
        return text

    @model_validator(mode="after")
    def _one_event(self) -> "FileTest":
        if sum(each is not None for each in (self.event, self.file, self.example)) > 1:
            raise ValueError("give one of `event`, `file` and `example`")
        if self.rows and (self.file or self.example):
            raise ValueError("`rows` vary an `event`: give the event here")
        return self

    @property
    def arrives_at(self) -> float | None:
        """Return `now` as Unix seconds; a time without a zone is UTC."""
        if self.now is None:
            return None
        at = datetime.fromisoformat(self.now)
        return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()


Tests = Annotated[
    list[FileTest], Field(default_factory=list, description="Tests of this file: `pinrelay test` runs them.")
]


DroppedOptOuts = Annotated[
    list[str],
    Field(
        default_factory=list,
        description="Shipped opt-outs that are not read, by path: $.traits.opt_out. All others are always read.",
    ),
]


class OverlapFile(BaseModel):
    """Presets that count the same events under other names, and the events that both may match."""

    model_config = STRICT

    presets: list[str] = Field(min_length=1, description="Names of the other presets.")
    withheld: str = Field(description="Trigger for events that are withheld if one of these presets is on.")


class PresetFile(BaseModel):
    """A preset: the events that it matches, and the data that it sends."""

    model_config = STRICT

    name: str = Field(min_length=1, max_length=80, description="Shown in receipts, the console and metrics; unique.")
    description: str = Field("", description="For people: when this preset fires and why.")
    subscribe: str = Field(description='The trigger, e.g. type = "track" AND event = "Order Completed".')
    action: Literal["report_conversion_event"] = Field(description="Action for each event that matches.")
    mapping: dict[str, Any] = Field(
        default_factory=dict, description="Fields of the action that differ from its defaults, as values or directives."
    )
    drops_opt_out: DroppedOptOuts
    enabled: bool = Field(default=True, description="false switches the preset off.")
    remember: bool = Field(default=True, description="false sends events without data from memory.")
    hold: str | None = Field(
        None,
        pattern=r"^[1-9][0-9]{0,3}[sm]$",
        description="How long its deliveries wait before they are sent, e.g. 30m; 55m at most.",
    )
    withdrawn_by: str | None = Field(
        None, description="Trigger for cancellations: a held order with the same `order_id` is not sent."
    )
    also: list[str] = Field(
        default_factory=list,
        description="Names of presets that may take the same events. `pinrelay test` reports others.",
    )
    overlaps: OverlapFile | None = Field(None, description="Presets that may count the same conversions.")
    example: dict[str, Any] | None = Field(None, description="A Segment event that this preset takes.")
    tests: Tests


class FieldSpec(BaseModel):
    """A field of the action: its meaning and its default."""

    model_config = STRICT

    label: str = Field(min_length=1, description="Display name of the field.")
    description: str = Field(min_length=1, description="What it means and what Pinterest uses it for.")
    type: Literal["string", "number", "integer", "boolean", "object"] = Field(description="Of one value.")
    required: bool = Field(default=False, description="An event without it is invalid.")
    choices: tuple[str, ...] | None = Field(None, description="Allowed values.", strict=False)
    multiple: bool = Field(default=False, description="Whether a list of values is allowed, too.")
    default: Any = Field(None, description="Value or directive used where the preset gives none.")
    from_blocks: bool = Field(default=False, description="Read from one of `person_blocks` if the preset gives none.")
    properties: dict[str, "FieldSpec"] | None = Field(None, description="The members of an object.")

    @model_validator(mode="after")
    def _members_belong_to_objects(self) -> "FieldSpec":
        if (self.properties is not None) != (self.type == "object"):
            raise ValueError("an object must have `properties`, and nothing else may")
        return self


class ActionFile(BaseModel):
    """An action: the event that it reports and all its fields."""

    model_config = STRICT

    name: str = Field(min_length=1, description="Display name of the action.")
    description: str = Field(min_length=1, description="What the action does.")
    fields: dict[str, FieldSpec] = Field(description="Every field, by its name in mappings.")
    drops_opt_out: DroppedOptOuts
    tests: Tests
