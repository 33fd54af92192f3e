"""The settings of identity memory. `Settings` inherits them."""

from typing import Literal

from pydantic import Field, SecretStr

from app.config.bounded_numbers import Count, Days
from app.config.quarantine_settings import QuarantineSettings


class MemorySettings(QuarantineSettings):
    """What is remembered of people, for how long, and of how many; the quarantine's key may find them as well."""

    remember_days: Days = Field(0, ge=0, description="how long facts of a person complete later events; 0: off")
    remember_click_days: Days = Field(60, gt=0, description="the same of click ids, where it is shorter")
    remember_session_days: Days = Field(7, ge=0, description="events without `userId` are the last user's for so long")
    remember_max_people: Count = Field(1_000_000, ge=1, description="ids in memory; the longest unseen go first")
    remember_users_from: Literal["everyone", "authenticated"] = Field(
        "everyone", description="whose `userId` memory believes; public write keys are no secrets"
    )
    remember_secret: SecretStr | None = Field(None, min_length=32, description="keys the ids in memory, see memory.md")

    @property
    def id_secret(self) -> SecretStr | None:
        """What keys the ids by which people are found in the store: that of memory, else that of the quarantine."""
        return self.remember_secret or self.quarantine_key
