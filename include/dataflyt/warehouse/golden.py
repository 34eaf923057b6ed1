"""The golden record of a run: computed once from history as it stands in that run and ``run.as_of``, never the clock.

Each table has its rule in ``sql/<table>.sql``: a SELECT over the sources' rows that hold now (temporary views named as
the sources' tables) and over the tables computed before it (``new_<table>``). They are computed in the order of
``_ORDER``; those that are no golden table are steps on the way, and are not kept. The same SELECTs over unchecked
staged rows tell the vetoes what a run has learned.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache
from pathlib import Path
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, text

from dataflyt.identity import numbers
from dataflyt.identity.names import feide_name, user_name_part
from dataflyt.storage.database import copied
from dataflyt.warehouse.tables import GOLDEN, source_tables

OSLO = ZoneInfo("Europe/Oslo")
_SQL = Path(__file__).parent / "sql"

_IDENTITY = ("person_link", "changed_hands", "stands_for", "kin", "identity_change", "heir")
_FOR_VETOES = (
    *("unit", "school_year", *_IDENTITY, "grp", "membership", "enrolment", "employment", "vitals", "responsible"),
    *("protection", "access_by_grant", "guardian_access", "person"),
)
_ORDER = (*_FOR_VETOES, "contact", "account", "work_item")


@dataclass(frozen=True)
class Moment:
    """Whose golden record, in which run, as of when, and with which HR units at schools.

    ``accounts`` says who names accounts, ``dataflyt`` or ``bas``, in the FEIDE ``realm``; ``publish_unasked`` that
    pupils are published about whom FREG cannot be asked.
    """

    owner: str
    run: int
    as_of: datetime
    units: Mapping[str, str]
    accounts: str = "dataflyt"
    realm: str = ""
    publish_unasked: bool = False

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
            "publish_unasked": self.publish_unasked,
        }


@cache
def statement(name: str) -> str:
    """Return the SQL file of this name."""
    return (_SQL / f"{name}.sql").read_text(encoding="utf-8")


def views_of_history(connection: Connection, owner: str) -> None:
    """Make a temporary view per source table with its open rows."""
    for table in source_tables().values():
        columns = ", ".join(f'"{name.lower()}"' for name in table.columns)
        connection.execute(
            text(
                f"create or replace temporary view {table.name} as select {columns} from history.{table.name} "
                f"where owner = '{owner}' and to_run is null"
            )
        )


def views_of_staging(connection: Connection, owner: str, staged: Sequence[str], *, prefix: str | None = None) -> None:
    """Make the same views over unchecked staged rows of the sources in ``staged``, over history for the rest.

    Their tables stand in the kommune's staging schema, or are those whose names begin with ``prefix``.

    Of a register, subjects that were not answered keep their open rows of history. An answer speaks for all numbers
    that it says the person has had: what stands under an old one is not left to hold.
    """
    views_of_history(connection, owner)
    at = prefix or f"staging_{owner}."
    for table in source_tables().values():
        if table.source not in staged:
            continue
        columns = ", ".join(f'"{name.lower()}"' for name in table.columns)
        if table.answered:
            answered = (
                f"select subject from {at}freg_person union select oppslag from {at}freg_person "
                f"union select identifikasjonsnummer from {at}freg_identifikasjonsnummer"
                if table.source == "freg"
                else f"select subject from {at}krr_contact"
            )
            rest = (
                f" union all select {columns} from history.{table.name} h where owner = '{owner}' and to_run is null "
                f"and not exists (select from ({answered}) as a where a.subject = h.subject)"
            )
        else:
            rest = ""
        connection.execute(
            text(f"create or replace temporary view {table.name} as select {columns} from {at}{table.name}{rest}")
        )


def marked_in_staging(connection: Connection, owner: str) -> None:
    """Make the view of whom HR marks count the unchecked staged rows too: whoever either marks is marked."""
    columns = ", ".join(source_tables()["hr_protection"].columns)
    connection.execute(
        text(
            f"create or replace temporary view hr_protection as select {columns} from staging_{owner}.hr_protection "
            f"union select {columns} from history.hr_protection where owner = '{owner}' and to_run is null"
        )
    )


def compute(connection: Connection, moment: Moment, *, for_vetoes: bool = False) -> None:
    """Fill the temporary tables ``new_<table>``; the views of the sources must stand.

    Gives FEIDE names to those who have none, unless ``for_vetoes``, which computes only what vetoes rest on.
    """
    bound = moment.bound()
    for name in _FOR_VETOES if for_vetoes else _ORDER:
        if name == "account":
            _name_accounts(connection, moment)
        table = GOLDEN.get(name)
        columns = ", ".join(f'"{column}"' for column in table.columns) if table else "*"
        connection.execute(text(f"drop table if exists pg_temp.new_{name} cascade"))
        connection.execute(
            text(
                f"create temporary table new_{name} on commit drop as select {columns} from ({statement(name)}) as rule"
            ),
            bound,
        )
        if table:
            connection.execute(text(f"create index on new_{name} ({', '.join(table.key)})"))
        if name == "guardian_access":
            connection.execute(text("create index on new_guardian_access (adult)"))
        connection.execute(text(f"analyze new_{name}"))
        if name == "person_link":
            connection.execute(text("create index on new_person_link (person_id)"))
            _identities(connection)


def _identities(connection: Connection) -> None:
    """Tables from the school system's and HR's own ids to persons."""
    for table, target, source, source_id, scheme in (
        ("sas_identity", "sas_id", "sas_person", "person_id", "sas"),
        ("hr_identity", "employee_id", "hr_employee", "employee_id", "hr"),
    ):
        connection.execute(text(f"drop table if exists pg_temp.{table} cascade"))
        connection.execute(
            text(
                f"create temporary table {table} on commit drop as "
                f"select s.{source_id} as {target}, l.person_id from {source} s "
                f"join new_person_link l on l.scheme = 'number' and l.value = s.number "
                f"union select s.{source_id}, l.person_id from {source} s "
                f"join new_person_link l on l.scheme = '{scheme}' and l.value = s.{source_id} "
                f"where s.number is null or s.number !~ '^[0-9]{{11}}$'"
            )
        )
        connection.execute(text(f"create index on {table} ({target})"))
        connection.execute(text(f"create index on {table} (person_id)"))
        connection.execute(text(f"analyze {table}"))


def _name_accounts(connection: Connection, moment: Moment) -> None:
    """Give each new account holder a name, once and for all.

    Who stands in the imported directory keeps the name there, or gets none when it is in doubt whose it is. The rest:
    the first letters of the name, numbered where it is taken; or, where a BAS names accounts, what the school system
    says it has named them, and none where it says nothing. No name that has stood in the directory is made for anybody.
    Feide: a user name is never given to another person ("bør ikke gjenbrukes", eduPersonPrincipalName).
    """
    bound = moment.bound()
    for name in ("listed", "inherited_name"):
        connection.execute(text(f"drop table if exists pg_temp.{name}"))
    connection.execute(
        text(f"create temporary table inherited_name on commit drop as {statement('account_inherited')}"), bound
    )
    people = connection.execute(text(statement("account_wanted")), bound)
    wanted = ((n, one.person_id, _user_name(one.fornavn, one.etternavn)) for n, one in enumerate(people))
    copied(connection, "wanted_name", "n bigint, person_id uuid, base text", wanted)
    connection.execute(text("analyze wanted_name"))
    connection.execute(text(f"create temporary table listed on commit drop as {statement('account_listed')}"), bound)
    connection.execute(text("analyze listed"))
    connection.execute(text(statement("account_kept")), bound)
    if moment.accounts == "bas":
        told = ((person_id, feide_name(name, moment.realm)) for person_id, name in connection.execute(text(_SAS_NAMES)))
        # Never a number as a name, which stays for good.
        given = ((person, uid) for person, uid in told if uid and (read := numbers.read(uid)) and read.kind == "local")
        copied(connection, "sas_name", "person_id uuid, uid text", given)
        connection.execute(text("analyze sas_name"))
        connection.execute(text(statement("account_of_bas")), bound)
    else:
        connection.execute(text(statement("account_made")), bound)


# The FEIDE id is what a BAS writes back to the school system; a bare user name counts where there is none.
_SAS_NAMES = """
select i.person_id, coalesce(s.feide_id, s.username)
from sas_person s
join sas_identity i on i.sas_id = s.person_id
where coalesce(s.feide_id, s.username) is not null
"""


def _user_name(given: str | None, family: str | None) -> str:
    """Three letters of each name, letters only: a number at the end tells namesakes apart."""
    letters = [re.sub("[0-9]", "", user_name_part(name or ""))[:3] for name in (given, family)]
    return "".join(letters) or "bruker"
