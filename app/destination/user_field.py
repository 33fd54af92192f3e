"""What is hashed of a person: one table, one row a field, each with its rule and source."""

from collections.abc import Callable
from dataclasses import dataclass

from app.config.settings import ConversionSettings
from app.destination.normalise import (
    Normaliser,
    external_id_normaliser,
    normalise_city,
    normalise_country,
    normalise_date_of_birth,
    normalise_email,
    normalise_gender,
    normalise_maid,
    normalise_name,
    normalise_state,
    normalise_zip,
    phone_normaliser,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class UserField:
    """One row: a field of the action that is hashed."""

    #: The action's name of it.
    name: str
    #: Pinterest's name of it.
    wire: str
    #: Gives the normaliser under the operator's rules.
    normaliser: Callable[[ConversionSettings], Normaliser]
    #: The rule in words, for the documentation.
    rule: str
    #: Where the rule comes from.
    source: str
    #: What is given and what is hashed, in an event of the US.
    example: tuple[str, str]


def _always(normalise: Normaliser) -> Callable[[ConversionSettings], Normaliser]:
    """Say that no rule of the operator changes a normaliser."""
    return lambda _rules: normalise


_SCHEMA = "Pinterest's schema of events/create (5.23)"
_SILENT = "our choice, where Pinterest's text is silent"

USER_FIELDS = (
    UserField(
        name="email",
        wire="em",
        normaliser=_always(normalise_email),
        rule="all white space and characters of no width out, quotes, `mailto:`, `<...>` and trailing `,;.` around it "
        "too; lower case; `local@domain.tld` or nothing",
        source=_SCHEMA,
        example=(" Jane.Doe@Example.com", "jane.doe@example.com"),
    ),
    UserField(
        name="phone",
        wire="ph",
        normaliser=lambda rules: phone_normaliser(rules.default_country),
        rule="digits with country code, which the event's country or DEFAULT_COUNTRY completes; no extension; "
        "not sent if too short or too long for its country",
        source=f"{_SCHEMA}; libphonenumber, E.164",
        example=("(415) 555-1234", "14155551234"),
    ),
    UserField(
        name="gender",
        wire="ge",
        normaliser=_always(normalise_gender),
        rule="f, female, woman: f; m, male, man: m; n, non-binary, x: n; all else nothing",
        source=_SCHEMA,
        example=("Female", "f"),
    ),
    UserField(
        name="date_of_birth",
        wire="db",
        normaliser=_always(normalise_date_of_birth),
        rule="YYYYMMDD, from dates that begin with the year; found by default, also from dates with one reading "
        "(`12/25/1985`, `25.12.1985`)",
        source=f"{_SCHEMA} (year, month, and day)",
        example=("1997-2-6", "19970206"),
    ),
    UserField(
        name="last_name",
        wire="ln",
        normaliser=_always(normalise_name),
        rule="trimmed, white space to one blank, lower case, accents composed (NFC)",
        source=_SCHEMA,
        example=("Van  der Berg", "van der berg"),
    ),
    UserField(
        name="first_name",
        wire="fn",
        normaliser=_always(normalise_name),
        rule="trimmed, white space to one blank, lower case, accents composed (NFC)",
        source=_SCHEMA,
        example=("Mary Ann ", "mary ann"),
    ),
    UserField(
        name="city",
        wire="ct",
        normaliser=_always(normalise_city),
        rule="lower case, no white space, no punctuation; accents stay, composed (NFC)",
        source=_SCHEMA,
        example=("St. Paul", "stpaul"),
    ),
    UserField(
        name="state",
        wire="st",
        normaliser=_always(normalise_state),
        rule="the part of its ISO 3166-2 code behind the hyphen; names of the event's country, else the US",
        source=f"{_SCHEMA}; ISO 3166-2",
        example=("California", "ca"),
    ),
    UserField(
        name="zip",
        wire="zp",
        normaliser=_always(normalise_zip),
        rule="US: five digits; elsewhere letters and digits, lower case",
        source=f"{_SCHEMA} for the US; {_SILENT} elsewhere",
        example=("94107-1234", "94107"),
    ),
    UserField(
        name="country",
        wire="country",
        normaliser=_always(normalise_country),
        rule="ISO 3166 alpha-2, lower case, from codes and names in any language",
        source=f"{_SCHEMA}; ISO 3166-1",
        example=("United States", "us"),
    ),
    UserField(
        name="external_id",
        wire="external_id",
        normaliser=lambda rules: external_id_normaliser(keep_case=rules.external_id_keep_case),
        rule="no white space, no characters of no width, lower case; EXTERNAL_ID_KEEP_CASE: the case it came in",
        source="as Segment's destination",
        example=(" User-42", "user-42"),
    ),
    UserField(
        name="hashed_maids",
        wire="hashed_maids",
        normaliser=_always(normalise_maid),
        rule="trimmed, lower case; all zeros: nothing",
        source=f"{_SILENT}; all zeros by Apple's and Google's documentation",
        example=("7A3CBEA0-BDF5-11E4-8DFC-AA07A5B093DB", "7a3cbea0-bdf5-11e4-8dfc-aa07a5b093db"),
    ),
)
