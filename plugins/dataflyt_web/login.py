"""The login: every route depends on ``somebody``, and a kommune's routes on ``visit``.

Airflow neither authenticates a plugin's app nor hides it. Its auth manager says who a request comes from, by cookie or
bearer token, and which DAGs the user may read. A kommune whose DAG the user may not read does not exist for that user.
The rights to persons are in the kommune's file, by the user's number in Airflow.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Any, TypeAlias

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.auth.managers.models.resource_details import DagDetails
from airflow.api_fastapi.core_api.security import get_user
from fastapi import Depends, HTTPException, Request

from dataflyt.config.kommune import Kommune, Right
from dataflyt.errors import ConfigError
from dataflyt.on_airflow.rights import dag_of
from dataflyt.run.environment import Environment
from dataflyt.warehouse.audit import Visitor
from dataflyt_web.installation import Installation


class Missing(Exception):
    """There is no such page, kommune or run, or the user may not know of it."""


@dataclass(frozen=True)
class Somebody:
    """A user who has logged in to Airflow. ``id`` is the number in the kommune file, ``name`` the one to show."""

    id: str
    name: str
    user: Any

    def may_read(self, kommune_id: str) -> bool:
        """Tell whether the user may read this kommune's DAG."""
        details = DagDetails(id=dag_of(kommune_id))
        return bool(get_auth_manager().is_authorized_dag(method="GET", user=self.user, details=details))

    def readable(self, kommune_ids: Sequence[str]) -> set[str]:
        """Return those of these kommuner whose DAG the user may read."""
        return {one for one in kommune_ids if self.may_read(one)}


async def somebody(user: Annotated[Any, Depends(get_user)]) -> Somebody:
    """Return the user that the request comes from. Raises HTTPException 401 for nobody."""
    number = user.get_id() if user else None
    if not number:
        raise HTTPException(401)
    return Somebody(str(number), str(user.get_name()), user)


LoggedIn: TypeAlias = Annotated[Somebody, Depends(somebody)]


@dataclass(frozen=True)
class Visit:
    """A user at a kommune's pages."""

    somebody: Somebody
    kommune: Kommune
    installation: Installation

    @cached_property
    def environment(self) -> Environment:
        """What the functions behind the pages need. Raises ConfigError when DATAFLYT_STORAGE is not set."""
        return self.installation.environment()

    def may(self, right: Right) -> bool:
        """Tell whether the kommune's file gives the user a right to persons: ``persons``, ``graded`` or ``decide``."""
        return any(one.id == self.somebody.id and right in one.may for one in self.kommune.people)

    def visitor(self, purpose: str, page: str) -> Visitor:
        """Return the user as the audit keeps it, with the purpose and the page.

        Raises ConfigError without a purpose, and for a number that is not in the kommune's list.

        The functions that show and decide check the rights: the same for pages and commands.
        """
        if not purpose.strip():
            raise ConfigError("Skriv hvorfor: formålet føres i loggen over innsyn.")
        known = {one.id: one.name for one in self.kommune.people}
        name = known.get(self.somebody.id, self.somebody.name)
        return Visitor(self.somebody.id, name, self.kommune.purpose(purpose), f"side {page}", login=self.somebody.name)


def visit_at(request: Request, kommune_id: str, somebody: Somebody) -> Visit:
    """Return the visit at this kommune. Raises Missing for an unknown kommune, and for one the user may not see."""
    installation: Installation = request.app.state.installation
    known = installation.kommuner().get(kommune_id)
    if not somebody.may_read(kommune_id) or known is None:
        raise Missing
    if not isinstance(known, Kommune):
        raise ConfigError(known.sentence)
    found = Visit(somebody, known, installation)
    request.state.visit = found
    return found


def visit(request: Request, kommune_id: str, somebody: LoggedIn) -> Visit:
    """Return the visit at the kommune that the path names, as ``visit_at`` does."""
    return visit_at(request, kommune_id, somebody)


Visiting: TypeAlias = Annotated[Visit, Depends(visit)]
