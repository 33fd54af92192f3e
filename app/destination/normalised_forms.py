"""The readable form that each hashed value has before SHA-256: for people who look at an event they pasted."""

from collections.abc import Mapping
from typing import Any

from app.destination.conversion_rules import ConversionRules
from app.destination.normalise import normalised
from app.destination.people import country_of
from app.destination.reading import flattened, text_of
from app.destination.user_field import USER_FIELDS


def normalised_forms(user_data: Any, rules: ConversionRules) -> Mapping[str, str]:
    """Return field name -> normalised text, several joined by a comma; fields that send nothing are left out.

    Personal data: show it to whoever gave it, keep it nowhere.
    """
    if not isinstance(user_data, dict):
        return {}
    country = country_of(user_data.get("country"))
    forms = {}
    for field in USER_FIELDS:
        normalise = field.normaliser(rules)
        texts = (text_of(item) for item in flattened(user_data.get(field.name)))
        found = [form for text in texts if text and (form := normalised(text, country, normalise)[0])]
        if found:
            forms[field.name] = ", ".join(dict.fromkeys(found))
    return forms
