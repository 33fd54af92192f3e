"""What Pinterest's schema of the conversions endpoint (API 5.23) asks of one event, as a table.

Two keys are newer than that schema; Segment and RudderStack send them and Pinterest takes them:
`advertiser_tracking_enabled` and `contents[].item_brand_id`.
"""

from collections.abc import Sequence
from typing import Any

from app.sandbox.checks import FINE, Problem, array, boolean, closed, integer, nullable, open_object, text

GIGABYTES = integer(0, 1_048_576)
PIXELS = integer(0, 30_720)
NOTE = nullable(text())
DIGESTS = array(text())

#: The members of user_data that hold SHA-256 digests.
HASHED = ("em", "ph", "ge", "db", "ln", "fn", "ct", "st", "zp", "country", "external_id", "hashed_maids")

#: An event is matched by at least one of these.
IDENTIFIERS = ({"em"}, {"hashed_maids"}, {"client_ip_address", "client_user_agent"})

APP_INFO = closed(
    {
        "app_id": text(200),
        "app_name": text(200),
        "app_package_name": text(200),
        "app_store": text(100),
        "app_version": text(100),
        "install_time": integer(0),
        "user_agent": text(16_384),
        "window_height": PIXELS,
        "window_width": PIXELS,
    }
)

FORM_FACTORS = {"desktop", "laptop", "cellphone", "tablet", "smartwatch", "tv", "vr", "console", "other"}
NETWORKS = {"wifi", "ethernet", "unknown", *(f"cellular_{generation}g" for generation in range(2, 7))}
SYSTEMS = {"ios", "android", "macos", "windows", "linux", "bsd", "other"}

DEVICE_INFO = closed(
    {
        "battery_level": integer(0, 100),
        "brand": text(100),
        "carrier": text(100),
        "cpu_cores": integer(0, 1_152),
        "external_storage_free_space": GIGABYTES,
        "external_storage_size": GIGABYTES,
        "form_factor": text(choices=FORM_FACTORS),
        "kernel_version": text(100),
        "languages": array(text(), max_items=100),
        "locale": text(35),
        "model": text(100),
        "network_type": text(choices=NETWORKS),
        "os_family": text(choices=SYSTEMS),
        "os_name": text(100),
        "os_release_name": text(100),
        "os_version": text(100),
        "screen_density": integer(0, 100_000),
        "screen_height": PIXELS,
        "screen_width": PIXELS,
        "storage_free_space": GIGABYTES,
        "storage_size": GIGABYTES,
        "timezone": text(40),
        "timezone_abbr": text(5),
        "type": text(100),
    }
)

CONTENT = closed(
    {
        "id": text(),
        "item_brand": text(),
        "item_brand_id": text(64),
        "item_category": text(),
        "item_name": text(),
        "item_price": text(),
        "quantity": integer(),
    }
)

CUSTOM_DATA = closed(
    {
        "content_brand": NOTE,
        "content_category": NOTE,
        "content_ids": array(text()),
        "content_name": NOTE,
        "contents": array(CONTENT),
        "currency": NOTE,
        "external_measurement_id": NOTE,
        "external_measurement_vendor_id": nullable(integer()),
        "np": NOTE,
        "num_items": integer(),
        "opt_out_type": NOTE,
        "order_id": NOTE,
        "predicted_ltv": NOTE,
        "search_string": NOTE,
        "value": NOTE,
    }
)

_USER_DATA_FIELDS = open_object(
    {
        "click_id": NOTE,
        "client_ip_address": text(),
        "client_user_agent": text(),
        "partner_id": NOTE,
        **dict.fromkeys(HASHED, DIGESTS),
    }
)


def _user_data(value: Any) -> Sequence[Problem]:
    """Want the fields right and at least one identifier; Pinterest leaves this object open."""
    problems = _USER_DATA_FIELDS(value)
    if type(value) is dict and not any(identifier <= value.keys() for identifier in IDENTIFIERS):
        return [*problems, ("", "none of em, hashed_maids, client_ip_address with client_user_agent is given")]
    return problems or FINE


CONVERSION_EVENT = closed(
    {
        "action_source": text(),
        "advertiser_tracking_enabled": boolean,
        "app_id": NOTE,
        "app_info": APP_INFO,
        "app_name": NOTE,
        "app_version": NOTE,
        "custom_data": CUSTOM_DATA,
        "device_brand": NOTE,
        "device_carrier": NOTE,
        "device_info": DEVICE_INFO,
        "device_model": NOTE,
        "device_type": NOTE,
        "event_id": text(),
        "event_name": text(),
        "event_source_url": NOTE,
        "event_time": integer(),
        "language": NOTE,
        "opt_out": boolean,
        "os_version": NOTE,
        "partner_name": NOTE,
        "user_data": _user_data,
        "wifi": boolean,
    },
    required=("event_name", "action_source", "event_time", "user_data", "event_id"),
)
