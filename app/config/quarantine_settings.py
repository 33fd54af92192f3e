"""The settings of the quarantine. `Settings` inherits them."""

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings

from app.config.bounded_numbers import Bytes, Hours
from app.config.environment import Texts


class QuarantineSettings(BaseSettings):
    """What is kept as received, sealed, of events that made no delivery."""

    quarantine_hours: Hours = Field(0, ge=0, description="how long invalid events are kept, sealed; 0: not at all")
    quarantine_key: SecretStr | None = Field(None, min_length=32, description="seals them, see quarantine.md")
    quarantine_names: Texts = Field((), description="names of unmatched events that are kept too")
    quarantine_max_bytes: Bytes = Field(500_000_000, ge=1, description="of all; the oldest go first")
