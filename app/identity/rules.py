"""How long identity memory remembers, and whom it believes."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentityRules:
    """The settings of identity memory. Never changes while the process runs."""

    #: A fact or link that was not observed for longer is not used.
    remember_s: float
    #: The same of clicks, where it is shorter.
    click_s: float
    #: An event without `userId` is the linked user's for so long after the link was observed.
    session_s: float
    #: What a public write key says of a `userId` counts too.
    believes_public_keys: bool = True

    def lasts_s(self, group: str) -> float:
        """Return how long a fact of this group is used without being observed again, in seconds."""
        return self.click_s if group == "click" and self.click_s < self.remember_s else self.remember_s
