"""What parameters of web addresses are called that say who a person is, or let anybody in."""

from typing import Final

#: URL parameters that hold personal data or secrets wherever they stand, compared in any case.
REDACTED_PARAMETERS: Final = (
    *("email", "e", "mail", "user_email", "email_address", "emailaddress"),
    *("phone", "tel", "phone_number", "mobile", "telephone"),
    *("first_name", "last_name", "firstname", "lastname", "dob"),
    *("token", "password"),
)
