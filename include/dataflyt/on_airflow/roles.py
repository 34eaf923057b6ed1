"""FAB's roles brought in line with ``rights``, in Airflow's database: a part of ``dataflyt airflow prepare``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.providers.fab.auth_manager.models import Action, Permission, Resource, Role
from sqlalchemy import select

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from sqlalchemy.orm import Session

    from dataflyt.on_airflow.rights import Right


def bring_in_line(session: Session, wanted: Mapping[str, Iterable[Right]]) -> list[str]:
    """Give every role in ``wanted`` exactly its rights there, and make the missing roles. Returns the new roles.

    Other roles, and the users of every role, stay as they are.
    """
    wanted = {name: set(rights) for name, rights in wanted.items()}
    every = set().union(*wanted.values())
    actions = _named(session, Action, {action for action, _ in every})
    resources = _named(session, Resource, {resource for _, resource in every})
    permissions = {
        (permission.action.name, permission.resource.name): permission
        for permission in session.scalars(select(Permission))
        if permission.action and permission.resource
    }
    for action, resource in sorted(every - permissions.keys()):
        permission = Permission(action=actions[action], resource=resources[resource])
        session.add(permission)
        permissions[action, resource] = permission
    known = set(session.scalars(select(Role.name)))
    for name, role in _named(session, Role, set(wanted)).items():
        held = {permissions[right] for right in wanted[name]}
        if set(role.permissions) != held:
            role.permissions = sorted(held, key=lambda one: (one.action.name, one.resource.name))
    session.flush()
    return sorted(wanted.keys() - known)


def _named(session: Session, model: Any, names: set[str]) -> dict[str, Any]:
    """Return the rows with these names by name, and make those that are missing."""
    found = {row.name: row for row in session.scalars(select(model)).unique() if row.name in names}
    for name in sorted(names - found.keys()):
        found[name] = model(name=name)
        session.add(found[name])
    return found
