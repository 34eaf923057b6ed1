"""Every kind of decision, by its name: one line each."""

from dataflyt.decisions.block import Block, LiftBlock
from dataflyt.decisions.decision import Decision
from dataflyt.decisions.quarantine import RejectRow, ReleaseRow

KINDS: dict[str, type[Decision]] = {kind.kind: kind for kind in (Block, LiftBlock, ReleaseRow, RejectRow)}
