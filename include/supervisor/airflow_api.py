"""Airflow's REST API, as far as the demo needs it: https://airflow.apache.org/docs/apache-airflow/stable/stable-rest-api-ref.html."""

from __future__ import annotations

import ssl
from typing import Any
from urllib.parse import quote

import httpx


def http(url: str, timeout: float, **more: Any) -> httpx.Client:
    """Return a client for ``url``, an address of this machine without TLS.

    httpx reads all certificates for every new client, which takes longer than to ask. An empty context trusts none.
    """
    nobody = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    return httpx.Client(base_url=url, timeout=timeout, trust_env=False, verify=nobody, **more)


class AirflowApi:
    """Airflow at ``url``, as one user. Every method raises ``httpx.HTTPError`` when Airflow does not do as asked."""

    def __init__(self, url: str, user: str, password: str) -> None:
        self.http = http(url, timeout=20)
        answer = self.http.post("/auth/token", json={"username": user, "password": password})
        answer.raise_for_status()
        self.http.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"

    def call(self, method: str, path: str, **request: Any) -> Any:
        """Ask, and return the answer's JSON."""
        answer = self.http.request(method, f"/api/v2{path}", **request)
        answer.raise_for_status()
        return answer.json()

    def dag(self, dag: str) -> dict[str, Any] | None:
        """Return the DAG with its documentation, or None until Airflow has read it."""
        answer = self.http.get(f"/api/v2/dags/{dag}/details")
        if answer.status_code == httpx.codes.NOT_FOUND:
            return None
        answer.raise_for_status()
        details: dict[str, Any] = answer.json()
        return details

    def import_errors(self) -> list[str]:
        """Return the errors of DAG files that could not be read."""
        return [error["stack_trace"] for error in self.call("GET", "/importErrors")["import_errors"]]

    def pause(self, dag: str, paused: bool) -> None:
        """Pause a DAG, or let it run."""
        self.call("PATCH", f"/dags/{dag}", json={"is_paused": paused})

    def active_runs(self, dag: str) -> list[str]:
        """Return the runs of a DAG that have not ended."""
        runs = self.call("GET", f"/dags/{dag}/dagRuns", params={"state": ["running", "queued"], "limit": 100})
        return [run["dag_run_id"] for run in runs["dag_runs"]]

    def give_up(self, dag: str, run: str) -> None:
        """Mark a run and its running tasks as failed."""
        self.call("PATCH", f"/dags/{dag}/dagRuns/{quote(run, safe='')}", json={"state": "failed"})

    def trigger(self, dag: str, note: str) -> str:
        """Start a run and return its id."""
        run: str = self.call("POST", f"/dags/{dag}/dagRuns", json={"logical_date": None, "note": note})["dag_run_id"]
        return run

    def run_state(self, dag: str, run: str) -> str:
        """Return a run's state: queued, running, success or failed."""
        state: str = self.call("GET", f"/dags/{dag}/dagRuns/{quote(run, safe='')}")["state"]
        return state

    def tasks(self, dag: str, run: str) -> list[dict[str, Any]]:
        """Return a run's task instances."""
        path = f"/dags/{dag}/dagRuns/{quote(run, safe='')}/taskInstances"
        tasks: list[dict[str, Any]] = self.call("GET", path)["task_instances"]
        return tasks

    def question(self, dag: str, run: str, task: str) -> dict[str, Any]:
        """Return a waiting task's question: subject, body, options, assigned_users."""
        question: dict[str, Any] = self.call("GET", self.question_path(dag, run, task))
        return question

    def answer(self, dag: str, run: str, task: str, option: str) -> None:
        """Answer a waiting task's question."""
        self.call("PATCH", self.question_path(dag, run, task), json={"chosen_options": [option], "params_input": {}})

    def question_path(self, dag: str, run: str, task: str) -> str:
        """Return the path of a task's question."""
        return f"/dags/{dag}/dagRuns/{quote(run, safe='')}/taskInstances/{task}/-1/hitlDetails"

    def failure(self, dag: str, run: str, task: dict[str, Any]) -> str | None:
        """Return the sentence with which a task failed, from its log."""
        path = f"/dags/{dag}/dagRuns/{quote(run, safe='')}/taskInstances/{task['task_id']}/logs/{task['try_number']}"
        content = self.call("GET", path, params={"full_content": True}, headers={"Accept": "application/json"})[
            "content"
        ]
        sentence = None
        for line in content:
            if isinstance(line, dict) and line.get("error_detail"):
                sentence = line["error_detail"][0].get("exc_value")
        return sentence
