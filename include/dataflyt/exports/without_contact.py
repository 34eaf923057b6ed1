"""What may be shown, without contact details: for a recipient who is not to have them.

Guardians' own e-mail and mobile are gone, whatever the export, and so is what ``export_extras: contact`` gives. School
Data Sync then has no guardians, since it takes none without an address. An employee's address at work stays in PIFU and
FEIDE, where it belongs to the account. The envelopes stay: they tell whether somebody can be reached, and not how.
"""

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from pathlib import PurePath

from dataflyt.exports.model import (
    Access,
    AccountHolder,
    ClassMember,
    Group,
    Lesson,
    Membership,
    Owner,
    Person,
    School,
    Shown,
)


def named(file: str) -> str:
    """Return the name of a file without contact details, beside the one with them.

    >>> named("pifu.xml")
    'pifu-uten-kontakt.xml'
    """
    path = PurePath(file)
    return f"{path.stem}-uten-kontakt{path.suffix}"


class WithoutContact:
    """A ``Shown`` that gives everything of another but contact details."""

    def __init__(self, shown: Shown, receivers: Callable[[str], tuple[str, ...]] = lambda _: ()) -> None:
        self._shown = shown
        self._receivers = receivers

    def receivers(self, export: str) -> tuple[str, ...]:
        """Return the names of those who get the file without contact details."""
        return self._receivers(export)

    def extras(self, export: str) -> frozenset[str]:
        """Return the export's extras but contact, and what needs contact."""
        gone = {"contact", "guardians"} if export == "sds" else {"contact"}
        return self._shown.extras(export) - gone

    def people(self) -> Iterator[Person]:
        """Yield the people, without guardians' own e-mail and mobile."""
        for person in self._shown.people():
            yield person._replace(private_mail=None, mobile=None)

    def accesses(self, export: str) -> Iterator[Access]:
        """Yield the accesses without e-mail and mobile."""
        for access in self._shown.accesses(export):
            yield access._replace(mail=None, mobile=None)

    def as_of(self) -> datetime:
        """Return the moment that the released run describes."""
        return self._shown.as_of()

    def owner(self) -> Owner:
        """Return the school owner."""
        return self._shown.owner()

    def schools(self) -> Iterable[School]:
        """Yield the schools."""
        return self._shown.schools()

    def account_holders(self) -> Iterable[AccountHolder]:
        """Yield the pupils and employees with a user name."""
        return self._shown.account_holders()

    def groups(self) -> Iterable[Group]:
        """Yield the groups."""
        return self._shown.groups()

    def memberships(self) -> Iterable[Membership]:
        """Yield the memberships."""
        return self._shown.memberships()

    def school_memberships(self) -> Iterable[Membership]:
        """Yield the memberships of schools."""
        return self._shown.school_memberships()

    def group_memberships(self) -> Iterable[Membership]:
        """Yield the memberships of groups, unchanged."""
        return self._shown.group_memberships()

    def class_members(self) -> Iterable[ClassMember]:
        """Yield the pupils of the classes."""
        return self._shown.class_members()

    def lessons(self) -> Iterable[Lesson]:
        """Yield the lessons."""
        return self._shown.lessons()
