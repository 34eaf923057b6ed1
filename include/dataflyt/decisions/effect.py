"""What a decision does at once, counted in the transaction that makes it: who loses access, who leaves the exports."""

from dataclasses import dataclass

from sqlalchemy import text

from dataflyt.warehouse import rules, shown
from dataflyt.warehouse.vetoed_views import Views


@dataclass(frozen=True)
class Effect:
    """What a decision does: at once, by counts, and later, in sentences.

    ``losing`` are adults who lose access to a child at once, ``hidden`` people who leave the exports at once.
    """

    losing: int = 0
    hidden: int = 0
    republished: bool = False
    later: tuple[str, ...] = ()

    def sentences(self) -> list[str]:
        """Return the effect in Norwegian."""
        found = []
        if self.losing:
            found.append(f"{self.losing} {'foresatt' if self.losing == 1 else 'foresatte'} mister tilgang straks.")
        if self.hidden:
            found.append(f"{self.hidden} {'person' if self.hidden == 1 else 'personer'} tas ut av eksportene straks.")
        if self.republished:
            found.append("Ny utgave publiseres.")
        return [*found, *self.later] or ["Ingenting endres straks."]


def remember(now: Views) -> None:
    """Keep who has access and who is shown before a decision is written, for ``lost`` to compare with."""
    shown.views(now)
    rules.script(
        now.connection,
        [
            "drop table if exists pg_temp.had_access, pg_temp.were_shown",
            f"create temporary table had_access on commit drop as {_ACCESS.format(p=now.prefix)}",
            f"create temporary table were_shown on commit drop as {_SHOWN.format(p=now.prefix)}",
        ],
    )


def lost(now: Views) -> tuple[int, int]:
    """Count those who had access to a child and have it no longer, and those who were shown and no longer are.

    ``now`` are the views made anew, after the decision.
    """
    shown.views(now)
    losing, hidden = (
        now.connection.scalar(
            text(f"select count(*) from (table {before} except {after.format(p=now.prefix)}) as gone")
        )
        for before, after in (("had_access", _ACCESS), ("were_shown", _SHOWN))
    )
    return losing or 0, hidden or 0


_ACCESS = "select child_id, adult from {p}guardian_access where state = 'active'"
_SHOWN = "select person_id from {p}shown_person"
