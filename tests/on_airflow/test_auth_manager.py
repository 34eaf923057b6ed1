"""Roles in FAB's tables, and the logins of make up: made once, kept right, and no others touched."""

import subprocess
import sys
from types import SimpleNamespace

import pytest

from dataflyt.on_airflow import rights
from supervisor.home import REPOSITORY
from supervisor.logins import Login, approvers
from supervisor.processes import SupervisorError
from supervisor.up import COMMON

FAB = """
from airflow.providers.fab.auth_manager.models import Action, Model, Permission, Resource, Role
from sqlalchemy import create_engine
from sqlalchemy.orm import Session
from dataflyt.on_airflow.roles import bring_in_line
from dataflyt.on_airflow.rights import roles

def held(session, name):
    return {(one.action.name, one.resource.name) for one in session.query(Role).filter_by(name=name).one().permissions}

engine = create_engine("sqlite://")
Model.metadata.create_all(engine)
with Session(engine) as session:
    more = Permission(action=Action(name="can_delete"), resource=Resource(name="DAGs"))
    session.add(Role(name="Op", permissions=[more]))
    session.commit()
    wanted = roles(["haugesund"])
    assert bring_in_line(session, wanted) == sorted(wanted)
    session.commit()
    assert {name: held(session, name) for name in wanted} == wanted
    operator = session.query(Role).filter_by(name="kommune_haugesund_operator").one()
    operator.permissions = [*operator.permissions[1:], more]
    session.commit()
    wanted = roles(["haugesund", "bergen"])
    assert bring_in_line(session, wanted) == ["kommune_bergen_approver", "kommune_bergen_operator"]
    session.commit()
    assert {name: held(session, name) for name in wanted} == wanted
    assert held(session, "Op") == {("can_delete", "DAGs")}
"""


def test_roles_are_made_and_brought_back_and_those_of_others_stay():
    subprocess.run([sys.executable, "-c", FAB], check=True, cwd=REPOSITORY)


def test_no_role_of_a_kommune_holds_a_right_that_reaches_every_dag():
    found = rights.roles(["haugesund", "bergen"])
    for role in (rights.operator("haugesund"), rights.approver("haugesund")):
        assert not {
            right for right in found[role] if right[1].startswith(("DAG:", "DAG Run:")) and "haugesund" not in right[1]
        }
        wide = {right for right in found[role] if ":" not in right[1] and right[0] not in ("can_read", "menu_access")}
        own = {("can_edit", "My Password"), ("can_edit", "My Profile")}
        assert wide - own == (set() if role == rights.operator("haugesund") else {("can_edit", "HITL Detail")})
        for secret in (
            "DAGs",
            "Connections",
            "Variables",
            "Configurations",
            "Audit Logs",
            "XComs",
            "Pools",
            "ImportError",
        ):
            assert ("can_read", secret) not in found[role]
    assert set(COMMON) == set(rights.COMMON)


def test_the_longest_name_of_a_kommune_still_makes_a_role_of_fabs():
    assert len(rights.operator("k" * 41)) <= 64


PRINT = """
import sys
from airflow.sdk.configuration import conf
from dataflyt.on_airflow.operators import access_control
print(access_control("haugesund") is None)
"""


@pytest.mark.parametrize(
    ("manager", "left_out"),
    [
        ("dataflyt.on_airflow.auth_manager.AuthManager", "False"),
        ("airflow.providers.fab.auth_manager.fab_auth_manager.FabAuthManager", "True"),
    ],
)
def test_where_a_missing_role_would_make_dags_vanish_they_name_none(tmp_path, monkeypatch, manager, left_out):
    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path))
    monkeypatch.setenv("AIRFLOW__CORE__AUTH_MANAGER", manager)
    said = subprocess.run([sys.executable, "-c", PRINT], check=True, capture_output=True, text=True)
    assert said.stdout.splitlines()[-1] == left_out


USERS = """
import json
from airflow.providers.fab.auth_manager.models import User
from airflow.utils.db import initdb
from airflow.utils.session import create_session
from supervisor.logins import Login, make

def made(*logins):
    make(["haugesund", "bergen"], logins, {login.user: login.user for login in logins})
    with create_session() as session:
        users = session.query(User).order_by(User.id)
        return [(one.id, one.username, tuple(role.name for role in one.roles)) for one in users]

initdb()
admin = Login("admin", "Administrator", ("Admin",), 1)
anita = Login("anita", "Anita I", ("kommune_haugesund_approver",), 101)
berit = Login("berit", "Berit R", ("kommune_bergen_approver",), 2)
assert made(anita, admin) == [(1, "admin", ("Admin",)), (101, "anita", anita.roles)]
assert made(anita, berit, admin)[1:] == [(2, "berit", berit.roles), (101, "anita", anita.roles)]
moved = anita._replace(number=7, roles=berit.roles)
assert made(moved, berit._replace(user="bente"), admin)[1:] == [(2, "bente", berit.roles), (7, "anita", berit.roles)]
"""


def test_a_login_has_the_files_number_whatever_was_there_before(tmp_path, monkeypatch):
    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path))
    monkeypatch.setenv("AIRFLOW__CORE__AUTH_MANAGER", "dataflyt.on_airflow.auth_manager.AuthManager")
    subprocess.run([sys.executable, "-c", USERS], check=True)


def kommune(name, *people):
    asked = tuple(SimpleNamespace(id=number, name=person) for number, person in people)
    return SimpleNamespace(id=name, name=name.capitalize(), approvers=asked)


def test_an_approver_is_one_login_with_a_role_for_each_kommune_and_the_files_number():
    anita, other = ("101", "Anita Ingebretsen"), ("104", "Anita Regnkappe")
    assert approvers(
        [kommune("haugesund", anita), kommune("bergen", other, anita), kommune("oslo", ("7", "Åse Ås"))]
    ) == [
        Login("anita", "Anita Ingebretsen", ("kommune_haugesund_approver", "kommune_bergen_approver"), 101),
        Login("anita104", "Anita Regnkappe", ("kommune_bergen_approver",), 104),
        Login("aase", "Åse Ås", ("kommune_oslo_approver",), 7),
    ]


@pytest.mark.parametrize("number", ["birgitte", "1", "-7", "٣"])
def test_an_approver_without_a_number_of_ones_own_stops_the_start_with_a_sentence(number):
    with pytest.raises(SupervisorError, match=rf"bergen.yaml: godkjenneren «{number}» kan ikke logge inn her"):
        approvers([kommune("bergen", (number, "Birgitte Regnkappe"))])
