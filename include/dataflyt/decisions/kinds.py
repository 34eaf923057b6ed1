"""Every kind of decision, by its name: one line each."""

from dataflyt.decisions.block import Block, LiftBlock
from dataflyt.decisions.consent import WithdrawConsent
from dataflyt.decisions.decision import Decision
from dataflyt.decisions.grant import EndGrant, Grant
from dataflyt.decisions.hold_back import EndHoldBack, HoldBack
from dataflyt.decisions.publishable import EndPublishable, Publishable
from dataflyt.decisions.suspension import KeepSuspension, LiftSuspension

KINDS: dict[str, type[Decision]] = {
    kind.kind: kind
    for kind in (
        *(Block, LiftBlock),
        *(Grant, EndGrant, WithdrawConsent),
        *(KeepSuspension, LiftSuspension),
        *(HoldBack, EndHoldBack),
        *(Publishable, EndPublishable),
    )
}
