"""Passwords of the kommuner's logins: made here, kept in an Airflow connection or a secrets backend and nowhere else.

``migrate`` makes the roles without passwords, so that no login with these roles is possible over a network.
"""

import secrets

import psycopg
from psycopg import sql
from sqlalchemy import exc, make_url

from dataflyt.errors import ConfigError, SourceUnavailable
from dataflyt.storage import database


def new_password(url: str, role: str) -> str:
    """Give ``role`` a new password, as the role at ``url`` that made it; return the role's own URL with the password.

    The server, and so its log, sees the SCRAM verifier only. Raises ConfigError if the role does not exist or is not
    ours to change, or if the server is too old. Raises SourceUnavailable if the warehouse does not answer.
    """
    password = secrets.token_urlsafe(24)
    try:
        with database.engine(url).begin() as connection:
            database.be_patient(connection)
            driver = database.driver(connection)
            verifier = driver.pgconn.encrypt_password(password.encode(), role.encode(), b"scram-sha-256").decode()
            driver.execute(sql.SQL("alter role {} password {}").format(sql.Identifier(role), sql.Literal(verifier)))
    except (psycopg.Error, exc.DBAPIError) as error:
        if isinstance(told := database.said(error), SourceUnavailable):
            raise told from None
        raw = error.orig if isinstance(error, exc.DBAPIError) else error
        raise ConfigError(
            f"Rollen {role} finnes ikke, eller tilkoblingen warehouse er ikke den som laget den: kjør «dataflyt "
            f"warehouse migrate» først, som rollen dataflyt (SQLSTATE {getattr(raw, 'sqlstate', None)})."
        ) from None
    return make_url(url).set(username=role, password=password).render_as_string(hide_password=False)
