"""The Pinterest API: fields -> ConversionEvent, the client, responses -> results."""

from app.core.values.event_names import ACTION_SOURCES, EVENT_NAMES
from app.destination.conversion_event import Complete, ReportConversionEvent, report_conversion_event
from app.destination.hashed_fields import hashed_fields, sent_of_text
from app.destination.offered_fields import OFFERED_FIELDS, OfferedField
from app.destination.person_reader import PersonReader, TypedPerson, carries_opt_out
from app.destination.person_sections import OF_BLOCKS, phones_as_given
from app.destination.place_names import load_place_names
from app.destination.quality import COMPONENTS, MATCH_KEYS, components, match_keys
from app.destination.redaction import redact
from app.destination.required_fields import nearest_event_name
from app.destination.user_data import FROM_BLOCKS
from app.destination.validators import USABLE_AT_ONCE, usable_parts

__all__ = [
    "ACTION_SOURCES",
    "COMPONENTS",
    "EVENT_NAMES",
    "FROM_BLOCKS",
    "MATCH_KEYS",
    "OFFERED_FIELDS",
    "OF_BLOCKS",
    "USABLE_AT_ONCE",
    "Complete",
    "OfferedField",
    "PersonReader",
    "ReportConversionEvent",
    "TypedPerson",
    "carries_opt_out",
    "components",
    "hashed_fields",
    "load_place_names",
    "match_keys",
    "nearest_event_name",
    "phones_as_given",
    "redact",
    "report_conversion_event",
    "sent_of_text",
    "usable_parts",
]
