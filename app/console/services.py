"""What the console needs of the rest of Pinrelay: nothing else reaches it.

`main` makes one `ConsoleServices`; tests make one over a store of their own (`tests/console/world.py`).
Personal data appears in `EventReport` only, made of what a person has just pasted; nothing of it is kept.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from app.access.admission import Access
from app.catalog.catalog import RunningCatalog
from app.config import Settings
from app.core.coordination import Coordination
from app.core.pages import AccountView
from app.core.trust import SourceTraits
from app.destination.client import PinterestClient
from app.insights.alerts.overall import Alert
from app.insights.inventory.view import InventoryView
from app.operations.acts import Acts
from app.operations.declaration import Services
from app.outbox import Outbox
from app.pipeline.explain import Explainer
from app.pipeline.search import Finder, PeopleSearch
from app.source import NamedSource


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsoleServices:
    """All that the console works with."""

    outbox: Outbox
    running: RunningCatalog
    #: Switches, reloads, and which processes run.
    coordination: Coordination
    #: Finds events again.
    finder: Finder
    #: Says what would become of an event.
    explainer: Explainer
    #: Returns the explainer under the settings of a test.
    explainer_of_test: Callable[[Mapping[str, Any]], Explainer]
    #: Returns the sources that there are by name: what the file of each says, None where it has none.
    sources: Callable[[], Mapping[str, NamedSource | None]]
    #: Returns what is known of a source whatever it sends, by its name.
    traits_of: Callable[[str], SourceTraits]
    #: Send test events, by ad account.
    clients: Mapping[str, PinterestClient]
    access: Access
    #: Does what operators ask for, and writes it down.
    acts: Acts
    #: Used by the operations of all surfaces.
    shared: Services
    #: What arrives, by name.
    inventory: InventoryView
    #: The ad accounts, at least one.
    accounts: tuple[AccountView, ...]
    settings: Settings
    #: Returns what is wrong now beside delivery. May raise OutboxUnavailable.
    alerts: Callable[[], Awaitable[list[Alert]]]
    #: Returns why a restart is needed, "" where none is.
    restart_notice: Callable[[], str] = str
    #: Looks up what is remembered of people; None where there is no secret to find them by.
    people: PeopleSearch | None
    #: Unix seconds.
    clock: Callable[[], float]

    @property
    def live(self) -> bool:
        """Whether anything goes to Pinterest; else all goes to the built-in sandbox."""
        return any(account.live for account in self.accounts)

    @property
    def settings_set(self) -> frozenset[str]:
        """The names of settings that advice speaks of, and that are set already."""
        known = {
            "REMEMBER_DAYS": self.settings.remember_days,
            "DEFAULT_COUNTRY": self.settings.default_country,
            "DEFAULT_CURRENCY": self.settings.default_currency,
            "ACTION_SOURCE_BY_CONTEXT": self.settings.action_source_by_context,
            "ORDER_SCOPE": self.settings.orders_by_source,
        }
        return frozenset(name for name, value in known.items() if value)

    def name_of(self, ad_account_id: str | None) -> str:
        """Return the name of an ad account; "" where it has none, or is not known."""
        return next((each.name for each in self.accounts if each.ad_account_id == ad_account_id), "")
