"""Every kind of decision, by its name: one line each."""

from dataflyt.decisions.block import Block, LiftBlock
from dataflyt.decisions.consent import WithdrawConsent
from dataflyt.decisions.decision import Decision
from dataflyt.decisions.erase import Erase
from dataflyt.decisions.grant import EndGrant, Grant
from dataflyt.decisions.hold_back import EndHoldBack, HoldBack
from dataflyt.decisions.link import Link, Unlink
from dataflyt.decisions.manual_person import EndManualPerson, ManualPeople
from dataflyt.decisions.override import EndOverride, Override, RaiseProtection
from dataflyt.decisions.publishable import EndPublishable, Publishable
from dataflyt.decisions.quarantine import RejectRow, ReleaseRow
from dataflyt.decisions.suspension import KeepSuspension, LiftSuspension
from dataflyt.decisions.take_over import TakeOver
from dataflyt.decisions.undo import Undo

_KINDS: tuple[type[Decision], ...] = (
    *(Block, LiftBlock),
    *(Grant, EndGrant, WithdrawConsent),
    *(KeepSuspension, LiftSuspension),
    *(HoldBack, EndHoldBack),
    *(Publishable, EndPublishable),
    *(Override, RaiseProtection, EndOverride),
    *(ManualPeople, EndManualPerson),
    *(Link, Unlink),
    *(ReleaseRow, RejectRow),
    Undo,
    Erase,
    TakeOver,
)
KINDS: dict[str, type[Decision]] = {kind.kind: kind for kind in _KINDS}
