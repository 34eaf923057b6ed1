"""The logins to the Airflow that is started here, and the program that makes them: FAB users with roles.

    python -m supervisor.logins PASSWORDS LOGINS    PASSWORDS: a file, LOGINS: see ``command``

An administrator, a data engineer, an operator of all kommuner, and each kommune's approvers with their kommune's role
and no other. An approver gets the number in the kommune file, since a question is assigned to numbers. The program runs
with Airflow's settings, on a migrated database. It may be run again: missing users are made, and every user gets the
given password and roles.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from dataflyt.identity.names import ascii_fold
from dataflyt.on_airflow import rights
from supervisor.home import ADMIN
from supervisor.processes import SupervisorError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy.orm import Session

    from dataflyt.config.kommune import Kommune


ENGINEER, OPERATOR = "ingenior", "operator"
"""The names that the data engineer and the operator log in with."""

FIRST = 1
"""The administrator's number, as FAB gives it to the first user of an installation."""


class Login(NamedTuple):
    """A user: the name to log in with, the name to show, roles, and the number; without one FAB gives it."""

    user: str
    name: str
    roles: tuple[str, ...]
    number: int | None = None


def administrator() -> Login:
    """Return the administrator's login, which has every right except an approver's answer."""
    return Login(ADMIN, "Administrator", ("Admin",), FIRST)


def others(kommuner: Iterable[Kommune]) -> list[Login]:
    """Return the logins of the data engineer and of the operator, with the roles that they would have in production."""
    operates = tuple(rights.operator(kommune.id) for kommune in kommuner)
    return [
        Login(ENGINEER, "Dataingeniør", (rights.ENGINEER,)),
        Login(OPERATOR, "Operatør", operates),
    ]


def approvers(kommuner: Iterable[Kommune]) -> list[Login]:
    """Return the approvers' logins: a user for each number, named by the first name, with a role for each kommune.

    Raises SupervisorError when an approver's id is not a number that FAB can give: nobody could then answer.
    """
    found: dict[int, Login] = {}
    for kommune in kommuner:
        for approver in kommune.approvers:
            if not approver.id.isascii() or not approver.id.isdigit() or int(approver.id) <= FIRST:
                raise SupervisorError(
                    f"{kommune.id}.yaml: godkjenneren «{approver.id}» kan ikke logge inn her. Skriv et tall større "
                    'enn 1 som id, for eksempel id: "101".'
                )
            number = int(approver.id)
            known = found.get(number) or Login("", approver.name, (), number)
            role = rights.approver(kommune.id)
            found[number] = known._replace(roles=(*known.roles, role))
    named: dict[str, Login] = {}
    for number, login in found.items():
        first = re.sub("[^a-z]", "", ascii_fold(login.name.split()[0]).lower()) or "godkjenner"
        user = f"{first}{number}" if first in named or first in (ADMIN, ENGINEER, OPERATOR) else first
        named[user] = login._replace(user=user)
    return list(named.values())


def make(kommuner: Iterable[str], logins: Iterable[Login], passwords: dict[str, str]) -> None:
    """Make Dataflyt's pools and roles in Airflow, and the users."""
    from airflow.providers.fab.auth_manager.models import Role
    from airflow.utils.session import create_session
    from sqlalchemy import select

    from dataflyt.on_airflow.prepare import bring_about

    with create_session() as session:
        bring_about(session, rights.roles(kommuner))
        if session.scalar(select(Role.id).where(Role.name == "Admin")) is None:
            session.add(Role(name="Admin"))  # FAB gives it its rights when the API server starts
        session.flush()
        for login in logins:
            _make_user(session, login, passwords[login.user])


def _make_user(session: Session, login: Login, password: str) -> None:
    from airflow.providers.fab.auth_manager.models import Role, User
    from sqlalchemy import or_, select
    from werkzeug.security import check_password_hash, generate_password_hash

    user = None
    named = select(User).where(or_(User.username == login.user, User.id == login.number))
    for known in session.scalars(named).unique().all():
        if login.number in (None, known.id):
            user = known
        else:  # the kommune file gave this name another number earlier
            session.delete(known)
            session.flush()
    if user is None:
        user = User(id=login.number, active=True)
        session.add(user)
    user.username, user.email = login.user, f"{login.user}@example.invalid"
    user.first_name, _, user.last_name = login.name.partition(" ")
    user.roles = list(session.scalars(select(Role).where(Role.name.in_(login.roles))).unique())
    if not check_password_hash(user.password or "", password):
        user.password = generate_password_hash(password)
    session.flush()


def command(passwords: Path, kommuner: Iterable[str], logins: Iterable[Login]) -> list[str]:
    """Return the command line that makes these logins."""
    given = json.dumps({"kommuner": list(kommuner), "logins": list(logins)})
    return [sys.executable, "-m", "supervisor.logins", str(passwords), given]


def main(passwords: str, given: str) -> None:
    """Run the command line."""
    wanted = json.loads(given)
    make(
        wanted["kommuner"],
        [Login(*login) for login in wanted["logins"]],
        json.loads(Path(passwords).read_text(encoding="utf-8")),
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
