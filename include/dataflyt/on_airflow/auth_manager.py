"""Airflow's auth manager, as Dataflyt uses it: FAB's, which asks for fewer rights in two places.

    AIRFLOW__CORE__AUTH_MANAGER=dataflyt.on_airflow.auth_manager.AuthManager

In FAB, starting a DAG's runs and answering its questions take the right to edit the DAG, which also lets a person pause
it. Here a person who may read a DAG needs only the right to create runs, or the right to answer.

When the auth manager's name contains FabAuthManager, Airflow writes each DAG's ``access_control`` to FAB's tables at
every parsing. One missing role then makes all kommuner's DAGs vanish, because they share a file. So this class has
another name. ``roles`` writes the same rights for all DAGs at once, and makes the missing roles.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity
from airflow.providers.fab.auth_manager.fab_auth_manager import FabAuthManager

from dataflyt.on_airflow.rights import PREFIXES

if TYPE_CHECKING:
    from airflow.api_fastapi.auth.managers.base_auth_manager import ResourceMethod
    from airflow.api_fastapi.auth.managers.models.resource_details import DagDetails
    from airflow.providers.fab.auth_manager.models import User


class AuthManager(FabAuthManager):  # type: ignore[misc]
    """FAB's users, passwords and roles, also for people who may only start runs or only answer."""

    def is_authorized_dag(
        self,
        *,
        method: ResourceMethod,
        user: User,
        access_entity: DagAccessEntity | None = None,
        details: DagDetails | None = None,
    ) -> bool:
        """Return whether ``user`` may do this with a DAG or a part of it."""
        dag = details.id if details else None
        if dag and (method, access_entity) == ("POST", DagAccessEntity.RUN):
            may = self._may(user, "POST", PREFIXES["DAG Runs"] + dag)
        elif dag and (method, access_entity) == ("PUT", DagAccessEntity.HITL_DETAIL):
            may = self._may(user, "PUT", "HITL Detail")
        else:
            may = False
        if may and self._is_authorized_dag("GET", details, user):
            return True
        as_in_fab: bool = super().is_authorized_dag(
            method=method, user=user, access_entity=access_entity, details=details
        )
        return as_in_fab

    def _may(self, user: User, method: ResourceMethod, resource: str) -> bool:
        may: bool = self._is_authorized(method=method, resource_type=resource, user=user)
        return may

    def _get_auth_role_public(self) -> None:
        """Give no role to a visitor who has not logged in, whatever ``[fab] auth_role_public`` says."""
        return
