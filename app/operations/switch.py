"""Switch sending on and off."""

from app.access.audit import Audit
from app.access.users import Person
from app.core.coordination import Coordination, Switches
from app.core.pages import AuditAction
from app.core.shared_values import SharedValues


class SwitchActs:
    """Switches all sending, ad accounts and presets, for every process. May raise OutboxUnavailable."""

    def __init__(self, shared: SharedValues, coordination: Coordination, audit: Audit) -> None:
        self._shared = shared
        self._coordination = coordination
        self._audit = audit

    async def switch(self, person: Person, preset: str | None, *, on: bool, ad_account_id: str | None = None) -> None:
        """Switch a preset, or else an ad account, or all sending where both are None. Raises UnknownName."""
        switches = await Switches.read(self._shared)
        if preset is not None:
            target, was_off = f"preset {preset}", preset in switches.presets_off
        elif ad_account_id is not None:
            target, was_off = f"ad account {ad_account_id}", ad_account_id in switches.accounts_off
        else:
            target, was_off = "all sending", switches.destination_off
        await self._coordination.switch(preset, on=on, ad_account_id=ad_account_id)
        before, after = "off" if was_off else "on", "on" if on else "off"
        await self._audit.note(person, AuditAction.SWITCH, target=target, before=before, after=after)
