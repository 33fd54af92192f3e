"""What the console needs of the rest of Pinrelay: nothing else reaches it.

`main` makes one `ConsoleServices`; tests make one over a store of their own (`tests/console/world.py`).
Personal data appears in `EventReport` only, made of what a person has just pasted; nothing of it is kept.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

from app.access.admission import Access
from app.catalog.catalog import RunningCatalog
from app.config.settings import OutboxSettings
from app.core.coordination import Coordination
from app.core.pages import AccountView
from app.core.trust import SourceTraits
from app.destination.client import PinterestClient
from app.insights.alerts.overall import Alert
from app.insights.inventory.view import InventoryView
from app.operations.acts import Acts
from app.outbox import Outbox
from app.pipeline.explain import Explainer
from app.pipeline.search import Finder, PeopleSearch
from app.source import NamedSource


@dataclass(frozen=True, slots=True, kw_only=True)
class DestinationView:
    """What pages say of the destination: its ad accounts, and how it takes and keeps events."""

    #: At least one.
    accounts: tuple[AccountView, ...]
    #: What becomes of events while a switch is off: kept and sent later, or withheld for good.
    keeps_while_off: bool
    #: A backlog that is full in less is told.
    told_full_s: float
    #: What waits longer is given up.
    waits_at_most_s: float
    #: `Name: value` lines that a sender must add, with placeholders for secrets; shown in the first curl command.
    sender_headers: tuple[str, ...] = ()

    def name_of(self, ad_account_id: str | None) -> str:
        """Return the name of an ad account; "" where it has none, or is not known."""
        return next((each.name for each in self.accounts if each.ad_account_id == ad_account_id), "")

    @property
    def live(self) -> bool:
        """Whether anything goes to Pinterest; else all goes to the built-in sandbox."""
        return any(account.live for account in self.accounts)


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
    #: Returns the sources that there are by name: what the file of each says, None where it has none.
    sources: Callable[[], Mapping[str, NamedSource | None]]
    #: Returns what is known of a source whatever it sends, by its name.
    traits_of: Callable[[str], SourceTraits]
    #: Send test events, by ad account.
    clients: Mapping[str, PinterestClient]
    access: Access
    #: Does what operators ask for, and writes it down.
    acts: Acts
    #: What arrives, by name.
    inventory: InventoryView
    destination: DestinationView
    #: For how long counts and orders are kept.
    outbox_rules: OutboxSettings
    #: Returns what is wrong now beside delivery. May raise OutboxUnavailable.
    alerts: Callable[[], Awaitable[list[Alert]]]
    #: Names of settings that advice speaks of, and that are set already.
    settings_set: frozenset[str] = frozenset()
    #: Returns why a restart is needed, "" where none is.
    restart_notice: Callable[[], str] = str
    #: Names of Pinterest's quality components, in the order they are shown.
    quality_components: Sequence[str]
    #: Looks up what is remembered of people; None where there is no secret to find them by.
    people: PeopleSearch | None
    #: Unix seconds.
    clock: Callable[[], float]
