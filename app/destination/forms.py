"""What each hashed value looks like before SHA-256: for people who try a mapping on an event they pasted."""

from collections.abc import Mapping
from typing import Any

from app.destination.normalise import normalised
from app.destination.reading import flattened, text_of
from app.destination.rules import ConversionRules
from app.destination.user_data import country_of
from app.destination.user_field import USER_FIELDS


def normalised_forms(fields: Mapping[str, Any], rules: ConversionRules) -> dict[str, str]:
    """Return the normalised text by path (`user_data.email`), several joined by commas; what sends nothing is absent.

    `fields` is what the mapping resolved. Personal data: show it to whoever gave it, keep it nowhere.
    """
    given = fields.get("user_data")
    if type(given) is not dict:
        return {}
    country = country_of(given.get("country"))
    forms = {}
    for field in USER_FIELDS:
        normalise = field.normaliser(rules)
        texts = (text_of(item) or "" for item in flattened(given.get(field.name)))
        kept = filter(None, (normalised(text, country, normalise)[0] for text in texts))
        forms[f"user_data.{field.name}"] = ", ".join(dict.fromkeys(kept))
    return {path: form for path, form in forms.items() if form}
