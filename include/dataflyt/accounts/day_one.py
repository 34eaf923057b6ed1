"""Day one: importing the kommune's present directory, and comparing a run with it.

``propose`` copies a directory file into the kommune's staging schema and says what is different. ``accept`` keeps each
name, the keyed hash of its holder's number, and the school and affiliation in the file. The naming of accounts
(``warehouse.golden``) then lets each person keep the name that was imported with their number, and gives an imported
name to nobody else. A later import replaces the directory. It takes back no name that was given, and frees none.

``compare`` counts the differences between a run's accounts and the imported directory. A kommune on trial reads it.

Out come only counts, lines of the file and the warehouse's own ids. Rows need the right ``graded``: somebody whom a row
says that Dataflyt knows, and whom no look-up finds, is protected. People hidden from the exports cannot be told from
others in the counts. People graded fortrolig are in the exports and are counted like everybody: see
``sql/accounts/import_difference.sql`` and ``account_difference.sql``.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import BinaryIO, NamedTuple
from uuid import UUID

from sqlalchemy import Connection, Engine, text

from dataflyt.accounts import directory
from dataflyt.config.kommune import Kommune
from dataflyt.config.loading import find, load_all
from dataflyt.errors import ConfigError, NotApproved, Unreadable, why_refused
from dataflyt.identity.names import feide_name
from dataflyt.storage import database
from dataflyt.warehouse import audit, rules, runs, shown, vetoed_views
from dataflyt.warehouse.audit import Visitor
from dataflyt.warehouse.runs import Run

IMPORT_KINDS = {
    "matched": "Funnet igjen på nummer",
    "unknown": "I katalogen, men nummeret er ikke kjent i varehuset",
    "not_in_directory": "Kjent i varehuset, men ikke i katalogen",
    "no_number": "Uten fødselsnummer eller D-nummer: kan ikke kobles",
    "no_name": "Uten navn i kommunens domene: blir ikke med",
    "other_name": "Har alt et annet navn fra Dataflyt, og beholder det",
    "name_taken": "Navnet er alt gitt til en annen av Dataflyt",
    "several_names": "Flere navn for én person: ingen nye kontoer før det er ett",
    "name_twice": "Samme navn på flere: ingen av dem får det",
}
"""Kinds of entries in a directory to be imported, with their Norwegian names."""

COMPARED_KINDS = {
    "same": "Samme navn som i katalogen",
    "new": "Ville blitt publisert, men er ikke i katalogen",
    "missing": "I katalogen, men ville ikke blitt publisert",
    "other_name": "Ville fått et annet navn enn i katalogen",
    "other_school": "Ved en annen skole enn i katalogen",
    "other_role": "Annen tilknytning (elev, ansatt) enn i katalogen",
}
"""Kinds of differences between a run and the imported directory, with their Norwegian names."""

WITHOUT_ROWS = frozenset({"matched", "same", "missing"})
"""Kinds that are counted and never listed: a list would show who is hidden, or nothing can be done about the rows."""

_ROWS_BETWEEN_PROGRESS = 2000


class Row(NamedTuple):
    """A row for a person to look at: somebody that the warehouse knows, else a line in the file."""

    kind: str
    person_id: str | None
    line: int | None


class Proposal(NamedTuple):
    """What importing a file would do: entries per kind, the digest for ``accept``, and the run compared with."""

    counts: dict[str, int]
    digest: str
    run: int


# --- the import ------------------------------------------------------------------------------------------------------


def kommune_of(path: Path, folder: Path, name: str | None) -> Kommune:
    """Return the kommune ``name``, or the one whose FEIDE realm is in the file. Raises ConfigError and Unreadable."""
    if name:
        return find(folder, name)
    with _opened(path) as file:
        realm = directory.realm(file, path.name)
    for kommune in load_all(folder)[0]:
        if kommune.feide.realm.lower() == realm:
            return kommune
    raise ConfigError(
        f"{path.name} sier ikke hvilken kommune den er for: ingen kommunefil har domenet i navnene. "
        "Skriv hvilken med --kommune."
    )


def propose(db: Engine, kommune: Kommune, path: Path, progress: Callable[[int], None]) -> Proposal:
    """Copy a directory file into staging and return what importing it would do. Nothing is kept yet.

    ``progress`` is called with the number of bytes read so far. Raises Unreadable with file and line, also when no name
    is in the kommune's realm.
    """
    owner = kommune.id
    with _opened(path) as file, database.transaction(db, owner) as connection:
        runs.draw_key(connection, owner)
        _copy(connection, file, path.name, kommune.feide.realm, progress)
        connection.execute(text(f"drop table if exists {_staged(owner)}"))
        connection.execute(
            text(f"create unlogged table {_staged(owner)} as {rules.sql('accounts/staged')}"), {"owner": owner}
        )
        connection.execute(text(f"analyze {_staged(owner)}"))
        if not connection.scalar(text(f"select count(uid) from {_staged(owner)}")):
            raise Unreadable(
                f"{path.name} har ingen navn i domenet {kommune.feide.realm}: velg kommunen med --kommune, "
                "eller rett domenet i kommunefilen."
            )
        standing = _difference(connection, owner)
        found = text("select kind, count(*) from import_difference group by kind")
        counts = dict.fromkeys(IMPORT_KINDS, 0) | {kind: count for kind, count in connection.execute(found)}
        return Proposal(counts, _digest(connection, owner), standing)


def proposed_rows(db: Engine, kommune: Kommune, visitor: Visitor) -> list[Row]:
    """Return the rows of the proposed import that a person must look at, in a fixed order.

    The look is kept in the audit. Raises NotAllowed without the right ``graded``.
    """
    kommune.case_worker(visitor.id, "graded")
    with database.transaction(db, kommune.id) as connection:
        _difference(connection, kommune.id)
        found = connection.execute(
            text(
                "select kind, person_id::text, case when person_id is null then line end from import_difference "
                "where not (kind = any(:hidden)) order by 1, 2, 3"
            ),
            {"hidden": sorted(WITHOUT_ROWS)},
        )
        return _seen(connection, kommune, visitor, "import rows", [Row(*row) for row in found])


def _seen(connection: Connection, kommune: Kommune, visitor: Visitor, action: str, rows: list[Row]) -> list[Row]:
    people = [UUID(row.person_id) for row in rows if row.person_id]
    audit.record(connection, kommune.id, visitor, action, people)
    return rows


def accept(db: Engine, kommune: Kommune, digest: str) -> int | None:
    """Keep the proposed directory in place of the one before. Raises NotApproved unless ``digest`` is still its digest.

    A run that is merged but not released has named people without this directory. It is undone, and its number
    returned.
    """
    owner = kommune.id
    with database.transaction(db, owner) as connection:
        if not connection.scalar(text("select to_regclass(:name)"), {"name": _staged(owner)}):
            raise NotApproved("Importen er ikke lenger til godkjenning. Importer filen på nytt.")
        _difference(connection, owner)
        if _digest(connection, owner) != digest:
            raise NotApproved("Forskjellen er ikke lenger den som ble godkjent. Importer filen på nytt.")
        bound = {"owner": owner}
        connection.execute(text("delete from control.directory_entry where owner = :owner"), bound)
        connection.execute(
            text(
                "insert into control.directory_entry (owner, uid, line, number_id, role, schools, imported_at) "
                f"select :owner, uid, line, number_id, role, schools, now() from {_staged(owner)} where uid is not null"
            ),
            bound,
        )
        connection.execute(
            text(
                "insert into control.directory_name (owner, uid) select distinct owner, uid "
                "from control.directory_entry where owner = :owner on conflict do nothing"
            ),
            bound,
        )
        connection.execute(text(f"drop table {_staged(owner)}"))
        newest = runs.newest(connection, owner)
        if newest and runs.get(connection, owner, newest).state == "merged":
            runs.undo(connection, owner, newest, "superseded")
            return newest
    return None


def reject(db: Engine, kommune: Kommune) -> None:
    """Delete the proposed directory."""
    with database.transaction(db, kommune.id) as connection:
        connection.execute(text(f"drop table if exists {_staged(kommune.id)}"))


def _opened(path: Path) -> BinaryIO:
    try:
        if path.exists() and not path.is_file():  # reading a pipe would block, and a pipe cannot be read twice
            raise Unreadable(f"{path.name} er ikke en vanlig fil: lagre katalogen som LDIF eller CSV.")
        return path.open("rb")
    except OSError as error:
        raise Unreadable(
            f"{path.name} kan ikke åpnes ({why_refused(error)}): rett navnet, eller gi Dataflyt lov til å lese filen."
        ) from None


def _staged(owner: str) -> str:
    return f"staging_{database.checked_owner(owner)}.directory"


def _copy(connection: Connection, file: BinaryIO, name: str, realm: str, progress: Callable[[int], None]) -> None:
    """Copy a file's rows into temporary tables, which hold numbers in clear until the transaction ends."""
    connection.execute(
        text(
            "create temporary table read_entry (line bigint, uid text, number text, role text, schools text[]) "
            "on commit drop"
        )
    )
    connection.execute(text("create temporary table read_school (key text, orgnr text) on commit drop"))
    schools: dict[str, str] = {}
    with database.driver(connection).cursor() as cursor:
        with cursor.copy("copy read_entry from stdin") as copy:
            for count, row in enumerate(directory.rows(file, name)):
                if isinstance(row, directory.School):
                    schools[row.key] = row.orgnr
                else:
                    uid = feide_name(row.principal, realm) if row.principal else None
                    copy.write_row((row.line, uid, row.number, row.role, list(row.schools)))
                if count % _ROWS_BETWEEN_PROGRESS == 0:
                    progress(file.tell())
        with cursor.copy("copy read_school from stdin") as copy:
            for school in schools.items():
                copy.write_row(school)
    progress(file.tell())


def _difference(connection: Connection, owner: str) -> int:
    """Fill the temporary table ``import_difference`` from staging; return the run that it compares with, or 0."""
    newest = runs.newest(connection, owner)
    merged = newest and runs.get(connection, owner, newest).state == "merged"
    run = newest if merged else runs.released_before(connection, owner)
    _candidates(connection, owner, run)
    rule = rules.folder("accounts")["import_difference"]
    rules.make(connection, [rule], {"owner": owner}, staged=_staged(owner))
    return run


def _digest(connection: Connection, owner: str) -> str:
    value = connection.scalar(
        text(
            "select encode(sha256(convert_to(string_agg(md5(row), '' order by row collate \"C\"), 'UTF8')), 'hex') "
            f"from (select d::text as row from {_staged(owner)} d union all select i::text from import_difference i) "
            "as rows"
        )
    )
    return str(value)


def _candidates(connection: Connection, owner: str, run: int) -> None:
    """Make the temporary table ``candidate_account``, and the views of the golden record before and after the run."""
    vetoed_views.views(
        connection, owner, runs.released_before(connection, owner, run), "before_", vetoes_before=run, whole=True
    )
    shown.views(vetoed_views.views(connection, owner, run, "after_", lifting=run, whole=True))
    rules.make(connection, [rules.folder("accounts")["candidate_account"]], {})


# --- trial -----------------------------------------------------------------------------------------------------------


def imported_at(connection: Connection, owner: str) -> datetime | None:
    """Return when the directory was imported; None before the first import."""
    found: datetime | None = connection.scalar(
        text("select max(imported_at) from control.directory_entry where owner = :owner"), {"owner": owner}
    )
    return found


def compare(connection: Connection, run: Run) -> dict[str, int]:
    """Count the differences between a merged or released run's accounts and the imported directory.

    The keys are COMPARED_KINDS; empty when no directory is imported. An entry of ``other_school`` or ``other_role`` is
    also counted in another kind. School and role are compared only where the file has them. Leaves the temporary table
    ``account_difference``.
    """
    if imported_at(connection, run.owner) is None:
        return {}
    _candidates(connection, run.owner, run.number)
    rules.make(connection, [rules.folder("accounts")["account_difference"]], {"owner": run.owner})
    found = text("select kind, count(*) from account_difference group by kind")
    return dict.fromkeys(COMPARED_KINDS, 0) | {kind: count for kind, count in connection.execute(found)}


def compared_rows(connection: Connection, kommune: Kommune, visitor: Visitor) -> list[Row]:
    """Return the people that ``compare`` has just counted, without the kinds that are never listed.

    The look is kept in the audit. Raises NotAllowed without the right ``graded``.
    """
    kommune.case_worker(visitor.id, "graded")
    found = connection.execute(
        text("select kind, person_id::text from account_difference where not (kind = any(:hidden)) order by 1, 2"),
        {"hidden": sorted(WITHOUT_ROWS)},
    )
    rows = [Row(kind, person_id, None) for kind, person_id in found]
    return _seen(connection, kommune, visitor, "account rows", rows)


def said(counts: Mapping[str, int], kinds: Mapping[str, str]) -> list[tuple[str, str]]:
    """Return the Norwegian name and the count of each kind."""
    return [(kinds[kind], str(count)) for kind, count in counts.items()]
