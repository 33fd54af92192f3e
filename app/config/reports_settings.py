"""The settings of what is read from Pinterest. `Settings` inherits them."""

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings


class ReportsSettings(BaseSettings):
    """By which token Pinterest's own figures are read; without any nothing is."""

    pinterest_ads_token: SecretStr | None = Field(None, description="with `ads:read`; Pinterest's own figures by it")
    pinterest_client_id: str | None = Field(
        None, description="instead, with the next three: an app whose token renews itself"
    )
    pinterest_client_secret: SecretStr | None = Field(None, description="of that app")
    pinterest_refresh_token: SecretStr | None = Field(None, description="with `ads:read`, to begin with")
    pinterest_reports_key: SecretStr | None = Field(
        None, min_length=32, description="encrypts the renewed token in the store"
    )

    @property
    def reads_reports(self) -> bool:
        """Whether anything is to be read: a token is set, or a part of one."""
        return any(getattr(self, name) for name in ReportsSettings.model_fields)
