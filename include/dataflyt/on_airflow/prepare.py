"""Dataflyt's needs in Airflow besides its DAGs: pools, roles and connection types.

``prepare`` makes the missing ones, and brings the roles in line with ``rights``; ``lacks`` returns a sentence for each
missing one. Both need Airflow's database, and raise ConfigError when it does not answer or is not migrated.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

from dataflyt.config.loading import folder_of_kommuner, load_all
from dataflyt.errors import ConfigError
from dataflyt.on_airflow.connection_types import SENSITIVE, TITLES
from dataflyt.on_airflow.rights import POOLS, roles

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from sqlalchemy.orm import Session

    from dataflyt.on_airflow.rights import Right

LONGEST = 41
"""How long a kommune's id may be. The name of a broken file may be longer, and FAB cuts a role's name at 64."""

TYPES = {
    "generic": "apache-airflow",
    "smtp": "apache-airflow-providers-smtp",
    "apprise": "apache-airflow-providers-apprise",
    **dict.fromkeys(TITLES, "dataflyt"),
}
"""The types of our connections, with the package that each comes in."""


class Made(NamedTuple):
    """The pools, roles and types that ``prepare`` has found and made, in words."""

    pools: str
    roles: str


def prepare() -> Made:
    """Make the missing pools and roles for the kommuner that have a file."""
    wanted = wanted_roles()
    with database() as session:
        return bring_about(session, wanted)


def bring_about(session: Session, wanted: Mapping[str, Iterable[Right]]) -> Made:
    """Make the pools that are missing, and bring the roles in line. A pool that is there keeps its size."""
    from airflow.models.pool import Pool
    from sqlalchemy import select

    there = set(session.scalars(select(Pool.pool)))
    new = sorted(POOLS.keys() - there)
    for name in new:
        slots, description = POOLS[name]
        session.add(Pool(pool=name, slots=slots, description=description, include_deferred=False))
    pools = f"{len(POOLS)}, nye: {', '.join(f'{name} ({POOLS[name][0]} plasser)' for name in new) or 'ingen'}"
    if not keeps_roles():
        return Made(pools, "ingen, for Airflow bruker ikke FAB her")
    from dataflyt.on_airflow.roles import bring_in_line

    made = bring_in_line(session, wanted)
    return Made(pools, f"{len(wanted)}, nye: {', '.join(made) or 'ingen'}")


def lacks() -> list[str]:
    """Return what is missing, a sentence each."""
    from airflow.models.pool import Pool
    from airflow.sdk.providers_manager_runtime import ProvidersManagerTaskRuntime
    from sqlalchemy import select

    found = []
    try:
        with database() as session:
            if pools := sorted(POOLS.keys() - set(session.scalars(select(Pool.pool)))):
                found.append(f"Poolene som mangler i Airflow: {', '.join(pools)}. Kjør «dataflyt airflow prepare».")
            if keeps_roles():
                from airflow.providers.fab.auth_manager.models import Role

                if missing := sorted(wanted_roles().keys() - set(session.scalars(select(Role.name)))):
                    found.append(
                        f"Rollene som mangler i Airflow: {', '.join(missing)}. Kjør «dataflyt airflow prepare»."
                    )
    except ConfigError as error:
        found.append(error.sentence)
    known = ProvidersManagerTaskRuntime().hooks
    found += [
        f"Airflow kjenner ikke tilkoblingstypen {name}: installer pakken {package}."
        for name, package in TYPES.items()
        if name not in known
    ]
    return found


def shows_secrets() -> str | None:
    """Return a sentence when Airflow shows secret fields of our connections to all who see connections, else None."""
    from airflow.sdk.configuration import conf

    hidden = {
        name.strip().lower() for name in str(conf.get("core", "sensitive_var_conn_names", fallback="")).split(",")
    }
    shown = [name for name in SENSITIVE if name not in hidden]
    if not shown:
        return None
    return (
        "Airflow viser hemmelige felter i tilkoblingene: sett AIRFLOW__CORE__SENSITIVE_VAR_CONN_NAMES til "
        f"{','.join(SENSITIVE)}."
    )


def links_lead_nowhere() -> str | None:
    """Return a sentence when the links in mails have no host, None when they have."""
    from airflow.sdk.configuration import conf

    if conf.get("api", "base_url", fallback=""):
        return None
    return (
        "Lenkene i e-postene har ingen adresse: sett AIRFLOW__API__BASE_URL til adressen folk når Airflow på, "
        "for eksempel https://airflow.example.no."
    )


def wanted_roles() -> dict[str, set[Right]]:
    """Return every role with its rights, for the kommuner that have a file, broken or not."""
    good, broken = load_all(folder_of_kommuner())
    ids = [*(kommune.id for kommune in good), *(one.id for one in broken)]
    return roles(sorted(one for one in ids if len(one) <= LONGEST))


def keeps_roles() -> bool:
    """Return whether Airflow's auth manager is FAB's or derives from it: both keep roles in Airflow's database.

    Raises ConfigError for one that cannot be loaded.
    """
    from airflow.api_fastapi.app import get_auth_manager_cls

    try:
        return any("FabAuthManager" in kind.__name__ for kind in get_auth_manager_cls().__mro__)
    except Exception:  # any error of the class that is named there
        raise ConfigError(
            "Airflows innlogging kan ikke lastes: rett AIRFLOW__CORE__AUTH_MANAGER, eller installer pakken den er i."
        ) from None


@contextmanager
def database() -> Iterator[Session]:
    """Open a session of Airflow's database, and commit it. Raises ConfigError when it cannot be used."""
    from airflow.utils.session import create_session
    from sqlalchemy.exc import DBAPIError, SQLAlchemyError

    try:
        with create_session() as session:
            yield session
    except SQLAlchemyError as error:
        why = type(error.orig if isinstance(error, DBAPIError) else error).__name__
        raise ConfigError(
            f"Airflows database kan ikke brukes herfra ({why}): kjør kommandoen der Airflow er satt opp, for eksempel "
            "med «docker compose exec airflow-scheduler», og «airflow db migrate» når databasen er ny."
        ) from None
