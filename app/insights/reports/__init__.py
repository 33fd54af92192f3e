"""What Pinterest itself says of our events: their quality, what it attributed, which names it knows. Optional."""

from app.insights.reports.ads_client import AdsClient, AdsToken, FixedToken, RotatingToken
from app.insights.reports.hourly_reading import HourlyReading

__all__ = ["AdsClient", "AdsToken", "FixedToken", "HourlyReading", "RotatingToken"]
