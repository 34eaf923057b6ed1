"""The golden record of a run: computed once, from the run's history and ``run.as_of``, never from the clock.

Each table has its rule in ``sql/golden/<table>.sql``: a SELECT over the sources' rows that hold now (temporary views
named as the sources' tables) and over the tables computed before it (``new_<table>``). A rule whose header makes a
``table`` is a step on the way, and its rows are not kept. The vetoes apply the same rules to unchecked staged rows.
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime

from sqlalchemy import Connection, text

from dataflyt.formats.dates import OSLO
from dataflyt.formats.feide import CODE
from dataflyt.formats.reaching import KRR_MAIL, KRR_MOBILE
from dataflyt.identity import numbers
from dataflyt.identity.names import feide_name, user_name_part
from dataflyt.sources.sas.values import STAFF_ROLES, SUBROLES
from dataflyt.storage.database import copied
from dataflyt.warehouse import rules
from dataflyt.warehouse.tables import source_tables


@dataclass(frozen=True)
class GoldenInputs:
    """The terms of a golden record, besides the rows: the kommune, the run, the time and the kommune file.

    ``units`` maps HR units to schools, and ``positions`` HR's positions to PIFU's words. ``accounts`` tells what names
    accounts in the FEIDE ``realm``, ``dataflyt`` or ``bas``. With ``publish_unasked`` a pupil that FREG cannot be asked
    about is published. With ``renew_user_names`` an account holder whose given name or gender changes gets a new user
    name. With ``resources_need_timetable`` a subject group without a timetable gives no learning resources.
    """

    owner: str
    run: int
    as_of: datetime
    units: Mapping[str, str]
    accounts: str = "dataflyt"
    realm: str = ""
    publish_unasked: bool = False
    renew_user_names: bool = False
    resources_need_timetable: bool = False
    positions: Mapping[str, str] = field(default_factory=dict)

    @property
    def today(self) -> date:
        """The day of ``as_of`` in Norway."""
        return self.as_of.astimezone(OSLO).date()

    def bound(self) -> dict[str, object]:
        """Return the parameters that the SQL files may name."""
        return {
            "owner": self.owner,
            "run": self.run,
            "as_of": self.as_of,
            "today": self.today,
            "units": json.dumps(dict(self.units)),
            "subroles": json.dumps(SUBROLES),
            "positions": json.dumps({said: _in_pifu(word) for said, word in self.positions.items()}),
            "publish_unasked": self.publish_unasked,
            "renew_user_names": self.renew_user_names,
            "resources_need_timetable": self.resources_need_timetable,
            "code": f"^{CODE}$",
            "krr_mail": KRR_MAIL,
            "krr_mobile": KRR_MOBILE,
        }


def _in_pifu(word: str) -> str:
    """Return a word as PIFU's role type with the subrole it is, if it is one.

    >>> _in_pifu("rektor"), _in_pifu("assistent")
    ('05 rektor', '08')
    """
    return STAFF_ROLES.get(word) or next(f"{role} {word}" for role, subroles in SUBROLES.items() if word in subroles)


@dataclass(frozen=True)
class SourceViews:
    """The sources' rows that hold now: a temporary view per source table, named as the table."""

    connection: Connection
    owner: str


@dataclass(frozen=True)
class Computed:
    """A computed golden record: the temporary tables ``new_<table>``, which last as long as the transaction."""

    connection: Connection
    inputs: GoldenInputs


def views_of_history(connection: Connection, owner: str) -> SourceViews:
    """Make the views over the open rows of history."""
    rules.script(connection, [_view(name, rows) for name, rows in _open_rows(owner).items()])
    return SourceViews(connection, owner)


def views_of_staging(
    connection: Connection, owner: str, staged: Sequence[str], *, prefix: str | None = None
) -> SourceViews:
    """Make the views over unchecked staged rows of the sources in ``staged``, and over history for the other sources.

    The staged tables are in the kommune's staging schema, or are the tables whose names begin with ``prefix``.

    In a register, a subject without an answer keeps its open rows of history. An answer counts for all the numbers that
    it gives the person: rows of history under a former number are replaced too.
    """
    at = prefix or f"staging_{owner}."
    views = _open_rows(owner)
    for table in source_tables().values():
        if table.source not in staged:
            continue
        open_rows = views[table.name]
        views[table.name] = f"select {_columns(table.columns)} from {at}{table.name}"
        if table.answered:
            answered = (
                f"select subject from {at}freg_person union select oppslag from {at}freg_person "
                f"union select identifikasjonsnummer from {at}freg_identifikasjonsnummer"
                if table.source == "freg"
                else f"select subject from {at}krr_contact"
            )
            views[table.name] += (
                f" union all {open_rows} and not exists (select from ({answered}) as a where a.subject = h.subject)"
            )
    rules.script(connection, [_view(name, rows) for name, rows in views.items()])
    return SourceViews(connection, owner)


def marked_in_staging(views: SourceViews) -> None:
    """Add the unchecked staged rows to the view of HR's marks: a mark in either place marks the employee."""
    columns = _columns(source_tables()["hr_protection"].columns)
    rows = f"select {columns} from staging_{views.owner}.hr_protection union {_open_rows(views.owner)['hr_protection']}"
    rules.script(views.connection, [_view("hr_protection", rows)])


def _open_rows(owner: str) -> dict[str, str]:
    """Select the open rows of each source table in history."""
    return {
        table.name: f"select {_columns(table.columns)} from history.{table.name} h "
        f"where owner = '{owner}' and to_run is null"
        for table in source_tables().values()
    }


def _columns(names: Iterable[str]) -> str:
    return ", ".join(f'"{name.lower()}"' for name in names)


def _view(name: str, rows: str) -> str:
    return f"create or replace temporary view {name} as {rows}"


def compute(views: SourceViews, inputs: GoldenInputs, *, for_vetoes: bool = False) -> Computed:
    """Fill the temporary tables ``new_<table>``.

    Account holders without a FEIDE name get one. With ``for_vetoes`` they do not, and only the tables that vetoes rest
    on are computed.
    """
    connection, bound = views.connection, inputs.bound()
    computed = Computed(connection, inputs)
    wanted = list(rules.folder("golden").values())
    if for_vetoes:
        wanted = rules.needed("golden", rules.folder("veto").values())
    for rule in wanted:
        if rule.name == "account":
            _name_accounts(computed)
        rules.make(connection, [rule], bound)
    return computed


def _name_accounts(computed: Computed) -> None:
    """Give each new account holder a name, once and for all.

    A person in the imported directory keeps the name there, or gets none if the name's owner is in doubt. A person who
    comes from another kommune keeps the name from there if it is free. The others get the first letters of the name,
    with a number if that is taken. Where a BAS names accounts, they get the BAS's name for them in the school system,
    or none if it is not there. A name that has been in the directory is never made for anyone. Feide: a user name is
    never given to another person ("bør ikke gjenbrukes", eduPersonPrincipalName).

    Where Dataflyt names accounts, a person's name is renewed when the policy says so. The former name stays taken.
    """
    connection, bound = computed.connection, computed.inputs.bound()
    people = [(one, False) for one in connection.execute(text(rules.sql("accounts/wanted")), bound)]
    if computed.inputs.accounts == "dataflyt":
        people += [(one, True) for one in connection.execute(text(rules.sql("accounts/renewed")), bound)]
    wanted = (
        (n, one.person_id, _user_name(one.fornavn, one.etternavn), renew) for n, (one, renew) in enumerate(people)
    )
    copied(connection, "wanted_name", "n bigint, person_id uuid, base text, renew boolean", wanted)
    connection.execute(text("analyze wanted_name"))
    rules.make(connection, [rules.folder("accounts")["listed"]], bound)
    connection.execute(text(rules.sql("accounts/kept")), bound)
    if computed.inputs.accounts == "bas":
        found = connection.execute(text(rules.sql("accounts/sas_names")))
        told = ((person_id, feide_name(name, computed.inputs.realm)) for person_id, name in found)
        # Never a number as a name, because a name stays for good.
        given = ((person, uid) for person, uid in told if uid and (read := numbers.read(uid)) and read.kind == "local")
        copied(connection, "sas_name", "person_id uuid, uid text", given)
        connection.execute(text("analyze sas_name"))
        connection.execute(text(rules.sql("accounts/of_bas")), bound)
    else:
        connection.execute(text(rules.sql("accounts/taken")), bound)
        connection.execute(text(rules.sql("accounts/made")), bound)
    connection.execute(text(rules.sql("accounts/named_for")), bound)


def _user_name(given: str | None, family: str | None) -> str:
    """Three letters of each name, no digits: a number at the end tells namesakes apart."""
    letters = [re.sub("[0-9]", "", user_name_part(name or ""))[:3] for name in (given, family)]
    return "".join(letters) or "bruker"
