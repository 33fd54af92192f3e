"""The settings of the inventory. `Settings` inherits them."""

from pydantic import Field
from pydantic_settings import BaseSettings


class InventorySettings(BaseSettings):
    """What is kept of the names under which events arrive."""

    inventory_names: int = Field(
        500, ge=0, le=10_000, description="names of events that are told apart, the rest is one; 0: no inventory"
    )
