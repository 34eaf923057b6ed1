"""The decisions in force about one person, under any id of the person: as the lists have them."""

from typing import NamedTuple
from uuid import UUID

from sqlalchemy import text

from dataflyt.config.kommune import Kommune
from dataflyt.decisions import access_lists, people_lists
from dataflyt.decisions.access_lists import Line, What
from dataflyt.decisions.deciding import seeing
from dataflyt.decisions.people_lists import LinkRow, ManualRow, OverrideRow
from dataflyt.run.environment import Environment
from dataflyt.warehouse import audit
from dataflyt.warehouse.audit import Visitor

_ACCESS: tuple[What, ...] = ("grants", "blocks", "suspensions", "publishable", "held_back")


class AboutPerson(NamedTuple):
    """The decisions about a person: those of ``access_lists`` by their sort, and those of ``people_lists``."""

    access: dict[What, list[Line]]
    overrides: list[OverrideRow]
    manual_people: list[ManualRow]
    links: list[LinkRow]

    def __bool__(self) -> bool:
        """Whether there is any."""
        return any(self.access.values()) or any((self.overrides, self.manual_people, self.links))


def about_person(
    kommune: Kommune, environment: Environment, person: UUID, visitor: Visitor, *, graded: bool = False
) -> AboutPerson:
    """Return the decisions in force about a person. The look is kept in the audit, with the others whom it names.

    Without ``graded`` decisions are left out as the lists leave them out. Raises NotAllowed without the right.
    """
    with seeing(kommune, environment, visitor, "list decisions", [str(person)], graded=graded) as at:
        kin = at.connection.execute(text("select other_id from now_kin where person_id = :one"), {"one": person})
        ids = {person, *kin.scalars()}
        lines = {what: access_lists.read(at, what, graded=graded) for what in _ACCESS}
        found = AboutPerson(
            {what: mine for what, all_ in lines.items() if (mine := [one for one in all_ if one.about & ids])},
            [one for one in people_lists.read_overrides(at, graded=graded) if one.about & ids],
            [one for one in people_lists.read_manual_people(at, graded=graded) if one.about & ids],
            [one for one in people_lists.read_links(at, graded=graded) if one.about & ids],
        )
        rows: list[Line | OverrideRow | ManualRow | LinkRow] = [one for mine in found.access.values() for one in mine]
        rows += [*found.overrides, *found.manual_people, *found.links]
        seen = {person}.union(*(one.about for one in rows))
        audit.record(at.connection, at.owner, visitor, "list decisions", seen)
        return found
