"""What Pinterest itself says of our events: their quality, what it attributed, which names it knows. Optional."""

from app.reports.ads_client import AdsClient
from app.reports.ads_tokens import AdsToken, FixedToken, RotatingToken
from app.reports.hourly_reading import HourlyReading

__all__ = ["AdsClient", "AdsToken", "FixedToken", "HourlyReading", "RotatingToken"]
