"""An Airflow plugin: Dataflyt's pages, under /dataflyt in Airflow's API server, and their places in Airflow's menus.

Airflow shows the pages in a frame of its own. They are also whole pages at ``<Airflow>/dataflyt/``.
"""

from functools import cached_property
from typing import Any

from airflow.plugins_manager import AirflowPlugin

# The pages are imported when they are asked for: every task's process loads the plugins, and shows no page.


class PagesPlugin(AirflowPlugin):  # type: ignore[misc]
    """The plugin, as Airflow finds it. ``{DAG_ID}`` and ``{RUN_ID}`` are filled in by Airflow."""

    name = "dataflyt_pages"
    external_views = [  # noqa: RUF012 - Airflow reads a list
        {"name": "Dataflyt", "href": "dataflyt/", "url_route": "dataflyt", "destination": "nav", "nav_top_level": True},
        {
            "name": "Dataflyt",
            "href": "dataflyt/dag/{DAG_ID}",
            "url_route": "dataflyt_kommune",
            "destination": "dag",
        },
        {
            "name": "Plan",
            "href": "dataflyt/dag/{DAG_ID}/run/{RUN_ID}",
            "url_route": "dataflyt_plan",
            "destination": "dag_run",
        },
    ]

    @cached_property
    def fastapi_apps(self) -> list[dict[str, Any]]:
        """The app. Only the API server asks for it."""
        from dataflyt.on_airflow.hooks import let_connections_without_port_be_tested
        from dataflyt.storage.database import keep_connections
        from dataflyt_web.app import create_app

        keep_connections(8)
        let_connections_without_port_be_tested()
        return [{"name": "Dataflyt", "app": create_app(), "url_prefix": "/dataflyt"}]
