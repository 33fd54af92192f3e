"""The settings of alerts. `Settings` inherits them."""

from pydantic import Field
from pydantic_settings import BaseSettings

from app.config.bounded_numbers import Count, Hours
from app.config.checked_texts import SecretWebAddress, WebAddress
from app.values.spans import HOUR_S


class AlertSettings(BaseSettings):
    """Where alerts go, and when something is told of events of one name."""

    alert_webhook_url: SecretWebAddress | None = Field(None, description="Slack-compatible; alerts go there")
    public_url: WebAddress | None = Field(None, description="where people reach Pinrelay; alerts link to its console")
    alert_full_hours: Hours = Field(
        24, ge=0, description="told where the backlog is full in less at the last hour's rate; 0: never"
    )
    alert_fall: float = Field(0.5, gt=0, lt=1, description="events of a name in an hour, below this part of the usual")
    alert_surge: float = Field(3, gt=1, le=1_000_000, description="the same, above so many times the usual")
    alert_share: float = Field(
        0.2,
        gt=0,
        lt=1,
        description="the part of a name's events by exit, or lacking money, by so much above the usual",
    )
    alert_least_events: Count = Field(20, ge=1, description="less events of a name in an hour are too few to judge")

    @property
    def told_full_s(self) -> float:
        """A backlog that is full in less is told."""
        return self.alert_full_hours * HOUR_S
