"""The warehouse's schema and roles: made, and migrated to this version."""

from collections.abc import Iterable
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

from dataflyt.errors import ConfigError
from dataflyt.storage.database import EVENTS, REFERENCE, WEB, be_patient, checked_owner, engine, in_our_words

_TEMP_BUFFERS = "256MB"


def is_migrated(connection: Connection) -> bool:
    """Tell whether the schema is this version's."""
    if not connection.scalar(text("select has_table_privilege('public.alembic_version', 'select')")):
        return False  # made by a version that let no role read it
    head = ScriptDirectory.from_config(_migrations()).get_current_head()
    return bool(connection.scalar(text("select version_num from public.alembic_version")) == head)


def _migrations() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    return config


def migrate(url: str, owners: Iterable[str]) -> list[str]:
    """Bring the schema to this version and make a role and a staging schema for each owner.

    Runs as the role ``dataflyt``, which must be allowed to create roles. Returns the new owners.
    """
    db = engine(url)
    made = []
    with in_our_words(), db.begin() as connection:
        be_patient(connection)
        _make_role(connection, "dataflyt_kommune", "nologin")
        for role in (EVENTS, REFERENCE, WEB):
            _make_role(connection, role, "login")
        config = _migrations()
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
        connection.execute(text("grant select on public.alembic_version to dataflyt_kommune"))
        for owner in owners:
            role = f"kommune_{checked_owner(owner)}"
            # Without a password: the embedded server trusts its socket; in production a DBA sets one.
            _make_role(connection, role, "login")
            connection.execute(text(f"grant dataflyt_kommune to {role} with inherit true, set false"))
            _give_memory(connection, role)
            # PostgreSQL requires that the creator can become the schema's owner.
            if not connection.scalar(text("select to_regnamespace(:name)"), {"name": f"staging_{owner}"}):
                connection.execute(text(f"grant {role} to current_user with inherit false, set true"))
                connection.execute(text(f"create schema staging_{owner} authorization {role}"))
                connection.execute(text(f"revoke {role} from current_user"))
                made.append(owner)
    db.dispose()
    return made


def _give_memory(connection: Connection, role: str) -> None:
    """Let a kommune's sessions keep a run's temporary tables in memory: 8 MB, the usual, is a small kommune's.

    The setting must be there before a session's first temporary table, and a pooler gives us sessions that have had
    them. So it is the role's. Memory is taken as it is needed. A role that somebody else has made keeps its own.
    """
    known = text(
        "select rolconfig::text like '%temp_buffers=%' "
        "or not pg_has_role(current_user, oid, 'member with admin option') from pg_roles where rolname = :role"
    )
    if not connection.scalar(known, {"role": role}):
        connection.execute(text(f"alter role {role} set temp_buffers = '{_TEMP_BUFFERS}'"))


def _make_role(connection: Connection, role: str, login: str) -> None:
    """Make a role that does not exist. Raises ConfigError for a login that may not make roles."""
    if connection.scalar(text("select 1 from pg_roles where rolname = :role"), {"role": role}):
        return
    may = text("select rolname from pg_roles where rolname = current_user and not (rolcreaterole or rolsuper)")
    if who := connection.scalar(may):
        raise ConfigError(
            f"Rollen {who} har ikke lov til å lage roller: den som drifter databasen, må kjøre "
            f"«alter role {who} createrole», og så kan du prøve på nytt."
        )
    connection.execute(text(f"create role {role} {login}"))
