"""Every kind of decision, by its name: one line each."""

from dataflyt.decisions.block import Block, LiftBlock
from dataflyt.decisions.decision import Decision
from dataflyt.decisions.link import Link, Unlink
from dataflyt.decisions.manual_person import EndManualPerson, ManualPeople
from dataflyt.decisions.override import EndOverride, Override, RaiseProtection

_KINDS: tuple[type[Decision], ...] = (
    *(Block, LiftBlock),
    *(Override, RaiseProtection, EndOverride),
    *(ManualPeople, EndManualPerson),
    *(Link, Unlink),
)
KINDS: dict[str, type[Decision]] = {kind.kind: kind for kind in _KINDS}
