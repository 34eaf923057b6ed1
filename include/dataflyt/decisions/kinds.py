"""Every kind of decision, by its name: one line each."""

from dataflyt.decisions.block import Block, LiftBlock
from dataflyt.decisions.decision import Decision
from dataflyt.decisions.take_over import TakeOver

KINDS: dict[str, type[Decision]] = {kind.kind: kind for kind in (Block, LiftBlock, TakeOver)}
