"""What may stand in a preset file and in a mapping file; editors get their JSON Schemas from here."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

STRICT = ConfigDict(extra="forbid", strict=True, frozen=True)


class PresetFile(BaseModel):
    """One preset: which events it takes and what it sends of them."""

    model_config = STRICT

    name: str = Field(min_length=1, max_length=80, description="Shown in receipts, the console and metrics; unique.")
    description: str = Field("", description="For people: when this preset fires and why.")
    subscribe: str = Field(description='The trigger, e.g. type = "track" AND event = "Order Completed".')
    action: Literal["report_conversion_event"] = Field(description="The action that is done with each event it takes.")
    mapping: dict[str, Any] = Field(
        default_factory=dict, description="Fields of the action that differ from its defaults, as values or directives."
    )
    enabled: bool = Field(default=True, description="false switches the preset off.")
    remember: bool = Field(default=True, description="false sends events as they are: memory completes none of them.")
    hold: str | None = Field(
        None,
        pattern=r"^[1-9][0-9]{0,3}[sm]$",
        description="How long its deliveries are kept back, e.g. 30m; 55m at most.",
    )
    withdrawn_by: str | None = Field(
        None, description="The trigger of cancellations: an order that is held is not sent, found by its `order_id`."
    )
    example: dict[str, Any] | None = Field(None, description="A Segment event that this preset takes.")


class FieldSpec(BaseModel):
    """One field of the action: what it means and where its value comes from by default."""

    model_config = STRICT

    label: str = Field(min_length=1, description="The field's name for people.")
    description: str = Field(min_length=1, description="What it means and what Pinterest uses it for.")
    type: Literal["string", "number", "integer", "boolean", "object"] = Field(description="Of one value.")
    required: bool = Field(default=False, description="An event without it is invalid.")
    choices: tuple[str, ...] | None = Field(None, description="The only values there are.", strict=False)
    multiple: bool = Field(default=False, description="A list of values is taken as well.")
    default: Any = Field(None, description="Value or directive used where the preset gives none.")
    from_blocks: bool = Field(
        default=False, description="Taken from one of `person_blocks` where the preset gives none."
    )
    properties: dict[str, "FieldSpec"] | None = Field(None, description="The members of an object.")

    @model_validator(mode="after")
    def _members_belong_to_objects(self) -> "FieldSpec":
        if (self.properties is not None) != (self.type == "object"):
            raise ValueError("an object has `properties`, nothing else does")
        return self


class ActionFile(BaseModel):
    """One action: the event it reports and all its fields."""

    model_config = STRICT

    name: str = Field(min_length=1, description="The action's name for people.")
    description: str = Field(min_length=1, description="What the action does.")
    fields: dict[str, FieldSpec] = Field(description="Every field, by its name in mappings.")
