"""Rights: every call in Airflow's API is tried at other kommuner's DAGs, with real logins over REST."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from dataflyt.on_airflow import rights
from supervisor import logins
from supervisor.home import REPOSITORY, Home, free_port
from supervisor.logins import Login
from supervisor.processes import Processes

pytestmark = pytest.mark.long

OWN = "kommune_haugesund"
OTHERS = ("kommune_bergen", "kommune_oslo", *rights.COMMON)
"""Oslo's kommune file is broken."""

USERS = {
    "admin": logins.administrator(),
    "operator": Login("operator", "Haugesunds Operatør", (rights.operator("haugesund"),)),
    "approver": Login("anita", "Anita Ingebretsen", (rights.approver("haugesund"),), 101),
    "engineer": Login("engineer", "Data Ingeniør", (rights.ENGINEER,)),
    "nobody": Login("nobody", "Uten Rolle", ()),
}

REFUSED = {401, 403, 404, 405}

OPEN = {
    *(("GET", f"/api/v2{path}") for path in ("/monitor/health", "/version", "/auth/login")),
    *(("POST", f"/auth{path}") for path in ("/token", "/token/cli")),  # with a name and a password
}
"""Calls that are open to anybody."""

ABOUT_ONESELF = {
    *(("GET", f"/ui{path}") for path in ("/auth/menus", "/auth/me", "/config")),
    ("POST", "/ui/auth/token"),
}

DAG, DAG_RUN = "/api/v2/dags/{dag_id}", "/api/v2/dags/{dag_id}/dagRuns/{dag_run_id}"

LISTS = {
    *(("GET", f"/api/v2{path}") for path in ("/dags", "/dagStats", "/dagTags")),
    *(("GET", DAG + path) for path in ("", "/details", "/tasks", "/tasks/{task_id}", "/dagRuns")),
    *(("GET", DAG + path) for path in ("/dagVersions", "/dagVersions/{version_number}")),
    *(("GET", DAG_RUN + path) for path in ("/taskInstances", "/hitlDetails", "/taskInstances/{task_id}/state-store")),
    *(("POST", path) for path in (f"{DAG}/dagRuns/list", f"{DAG_RUN}/taskInstances/list")),
    *(("GET", f"/ui{path}") for path in ("/dags", "/dags/{dag_id}/latest_run", "/dags/{dag_id}/deadlineAlerts")),
    *(
        ("GET", f"/ui{path}")
        for path in ("/dags/{dag_id}/dagRuns/{dag_run_id}/deadlines", "/dependencies", "/backfills")
    ),
    *(("GET", f"/ui/dashboard{path}") for path in ("/historical_metrics_data", "/dag_stats")),
    *(("GET", f"/ui/grid{path}") for path in ("/structure/{dag_id}", "/runs/{dag_id}", "/ti_summaries/{dag_id}")),
    ("GET", "/ui/calendar/{dag_id}"),
}
"""Calls that list only the user's own, whatever DAG the query names."""

MISASKED = {
    *(("GET", f"/api/v2{path}") for path in ("/backfills", "/connections/enqueue-test")),
    *(("GET", f"/ui{path}") for path in ("/dags/{dag_id}/latest_run", "/structure/structure_data")),
    ("GET", "/ui/dags/{dag_id}/dagRuns/{dag_run_id}/deadlines"),
    ("GET", f"{DAG_RUN}/taskInstances"),
    ("GET", f"{DAG_RUN}/taskInstances/{{task_id}}/externalLogUrl/{{try_number}}"),  # there are none here
    *(("POST", path) for path in (f"{DAG}/dagRuns/list", f"{DAG_RUN}/taskInstances/list")),
    *(("POST", DAG + path) for path in ("/favorite", "/unfavorite")),
    ("POST", f"{DAG}/dagRuns"),  # the same run twice
}
"""Calls that may be answered by 400, 409 or 422: without the DAG's name, with it and ``~``, or twice."""

TRIGGER, ANSWER = (
    ("POST", f"{DAG}/dagRuns"),
    ("PATCH", f"{DAG_RUN}/taskInstances/{{task_id}}/{{map_index}}/hitlDetails"),
)
STARS = {("POST", DAG + path) for path in ("/favorite", "/unfavorite")}
MAY_CHANGE = {"operator": {TRIGGER, *STARS}, "approver": {ANSWER, *STARS}}
"""The changes that these two roles may make to their own DAG."""


@dataclass
class Call:
    """One request, and its path in Airflow's description."""

    method: str
    template: str
    path: str
    query: dict[str, Any]
    body: Any

    @property
    def operation(self) -> tuple[str, str]:
        """The name of the operation in Airflow's description."""
        return self.method, self.template

    def send(self, client: httpx.Client) -> httpx.Response:
        """Send the request; of an endless answer only the status is read."""
        with client.stream(self.method, self.path, params=self.query, json=self.body) as answer:
            if not self.template.endswith("/wait"):
                answer.read()
                return answer
            return httpx.Response(answer.status_code)


@dataclass
class Installation:
    """A running API server, the rows made in it by DAG, and each user's token."""

    url: str
    made: dict[str, dict[str, Any]]
    tokens: dict[str, str]
    environment: dict[str, str]

    def client(self, user: str | None) -> httpx.Client:
        """Return a client for one of ``USERS``, or for nobody."""
        headers = {"Connection": "close"}  # the server hangs up after an internal error
        headers |= {"Authorization": f"Bearer {self.tokens[user]}"} if user else {}
        return httpx.Client(base_url=self.url, headers=headers, timeout=60, trust_env=False)


@pytest.fixture(scope="module")
def airflow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """An API server on the database of ``rights_world``, as ``make up`` starts it, and everybody's token."""
    folder = tmp_path_factory.mktemp("rights")
    kommuner = folder / "kommuner"
    kommuner.mkdir()
    for name in ("haugesund", "bergen"):
        shutil.copy(REPOSITORY / "include" / "kommuner" / f"{name}.yaml", kommuner)
    broken = (kommuner / "haugesund.yaml").read_text("utf-8").replace("every: week", "every: fortnight")
    (kommuner / "oslo.yaml").write_text(broken.replace("id: haugesund", "id: oslo"), "utf-8")
    home, port = Home(folder / "home"), free_port()
    environment = home.base_environment(kommuner) | home.airflow_environment(port)
    environment["PYTHONPATH"] = os.pathsep.join([str(REPOSITORY), os.environ.get("PYTHONPATH", "")])
    passwords = {name: home.password(login.user) for name, login in USERS.items()}
    given = logins.command(home.passwords, ["haugesund", "bergen"], USERS.values())[3:]  # oslo's roles are missing
    world = [
        sys.executable,
        "-m",
        "tests.on_airflow.rights_world",
        *given,
        environment["AIRFLOW__LOGGING__BASE_LOG_FOLDER"],
    ]
    made = subprocess.run(world, env=environment, capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stderr[-3000:]
    processes = Processes(folder / "home")
    try:
        processes.start("api-server", [sys.executable, "-m", "airflow", "api-server"], environment)
        url = f"http://127.0.0.1:{port}"
        processes.wait_for("Airflow", lambda: answers(url))
        tokens = {
            name: httpx.post(
                f"{url}/auth/token", json={"username": USERS[name].user, "password": password}, trust_env=False
            ).json()["access_token"]
            for name, password in passwords.items()
        }
        installation = Installation(url, json.loads(made.stdout.splitlines()[-1]), tokens, environment)
        for dag in (OWN, *OTHERS):
            shown = installation.client("admin").get(f"/api/v2/dags/{dag}").json()
            installation.made[dag]["file_token"] = shown["file_token"]
        yield installation
    finally:
        processes.stop()


def answers(url: str) -> bool:
    """Whether the API server is up."""
    try:
        return httpx.get(f"{url}/api/v2/version", timeout=5, trust_env=False).is_success
    except httpx.HTTPError:
        return False


def bodies(target: str, ids: dict[str, Any]) -> dict[str, list[Any]]:
    """Return the body for each schema, at its most harmful for the DAG ``target``."""
    run, task = ids["run"], ids["task"]
    of_run = {"dag_id": target, "dag_run_id": run}
    of_task = {**of_run, "task_id": task}
    day = {"logical_date": "2026-11-02T00:00:00Z"}
    backfill = {"dag_id": target, "from_date": "2026-10-01T00:00:00Z", "to_date": "2026-10-02T00:00:00Z"}

    def bulk(entity: dict[str, Any], change: dict[str, Any]) -> list[Any]:
        return [
            {"actions": [{"action": action, "entities": [{**entity, **more}]}]}
            for action, more in (("create", change), ("update", change), ("delete", {}))
        ]

    return {
        "BackfillPostBody": [backfill],
        "DAGRunPatchBody": [{"state": "success", "note": "x"}],
        "BulkBody_BulkDAGRunBody_": bulk(of_run, {"state": "success"}),
        "TriggerDAGRunPostBody": [{"logical_date": None}, {**day, "conf": {"full_reload": True}}],
        "DAGRunClearBody": [{"dry_run": False}],
        "DAGRunsBatchBody": [{"dag_ids": [target]}, {}],
        "BulkDAGRunClearBody": [{"dry_run": False, "dag_runs": [of_run]}],
        "ClearPartitionsBody": [{"dry_run": False, "run_id": run}],
        "DAGPatchBody": [{"is_paused": False}, {"is_paused": True}],
        "PatchTaskInstanceBody": [{"new_state": "success", "note": "x"}],
        "BulkBody_BulkTaskInstanceBody_": bulk(of_task, {"new_state": "success"}),
        "TaskInstancesBatchBody": [{"dag_ids": [target]}, {}],
        "ClearTaskInstancesBody": [{"dry_run": False, "dag_run_id": run, "task_ids": [task]}],
        "XComUpdateBody": [{"value": {"digest": "x"}}],
        "XComCreateBody": [{"key": "return_value", "value": "x"}, {"key": "answer", "value": "approved"}],
        "TaskStateStoreBody": [{"value": "x"}],
        "TaskStateStorePatchBody": [{"value": "x"}],
        "UpdateHITLDetailPayload": [{"chosen_options": ["Approve"], "params_input": {}}],
        "CreateAssetEventsBody": [{"asset_id": 1}],
        "MaterializeAssetBody": [{}],
        "AssetStateStoreBody": [{"value": "x"}],
        "ConnectionBody": [{"connection_id": "warehouse_bergen", "conn_type": "generic"}],
        "ConnectionTestRequestBody": [{"connection_id": "warehouse_bergen", "conn_type": "generic"}],
        "BulkBody_ConnectionBody_": [{"actions": [{"action": "delete", "entities": ["warehouse_bergen"]}]}],
        "PoolBody": [{"name": "other", "slots": 1}],
        "PoolPatchBody": [{"pool": "freg", "slots": 0}],
        "BulkBody_PoolBody_": [{"actions": [{"action": "delete", "entities": ["freg"]}]}],
        "VariableBody": [{"key": "k", "value": "x"}],
        "BulkBody_VariableBody_": [{"actions": [{"action": "delete", "entities": ["k"]}]}],
        "GenerateTokenBody": [{}],
        "RoleBody": [{"name": "mine", "actions": [{"action": {"name": "can_edit"}, "resource": {"name": "DAGs"}}]}],
        "UserBody": [
            {"username": "u", "first_name": "u", "last_name": "u", "email": "u@example.invalid", "password": "u"}
        ],
        "UserPatchBody": [{"roles": [{"name": "Admin"}]}],
    }


def split(template: str) -> list[str]:
    """Take a path apart at its parameters."""
    return re.split(r"({\w+})", template)


def calls(
    described: dict[str, Any], prefix: str, target: str, made: dict[str, dict[str, Any]], *, roundabout: bool = True
) -> Iterator[Call]:
    """Yield every described call at ``target``: by its own path, through ``~``, and through the user's own DAG."""
    ids = made[target]
    known = {
        **{"dag_run_id": ids["run"], "run_id": ids["run"], "task_id": ids["task"], "group_id": ids["task"]},
        **{"map_index": -1, "xcom_key": "return_value", "key": "k", "pool_name": "freg", "variable_key": "k"},
        **{"backfill_id": ids["backfill"], "event_log_id": ids["event"], "file_token": ids["file_token"]},
        **{"import_error_id": made["import error"]["id"], "connection_id": "warehouse_bergen"},
        **{"section": "core", "option": "fernet_key", "username": "anita", "name": rights.operator("haugesund")},
    }
    wanted = {"start_date": "2026-01-01T00:00:00Z", "interval": 0.01, "partition_key": "k", "run_ids": ids["run"]}
    sent = bodies(target, ids)
    for template, operations in described["paths"].items():
        if template.endswith("/logout"):
            continue  # it would end the token
        for method, operation in operations.items():
            if method not in {"get", "post", "put", "patch", "delete"}:
                continue
            parameters = operation.get("parameters", [])
            query = {one["name"] for one in parameters if one["in"] == "query"}
            asked = {one: wanted[one] for one in query & wanted.keys()}
            named = {one: target for one in ("dag_id", "dag_ids", "dag_id_pattern", "source_dag_id") if one in query}
            content = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
            names = re.findall(r"schemas/(\w+)", json.dumps(content))
            payloads = sent[names[0]] if names else [{}] if content else [None]
            through = [(target, ids["run"])]
            if "{dag_id}" in template and roundabout:
                through += [("~", "~"), ("~", ids["run"]), (OWN, ids["run"])]
            queries = [asked] if "{dag_id}" in template and not named else [asked, asked | named]
            for (dag, run), body, more in product(dict.fromkeys(through), payloads, queries):
                at = known | {"dag_id": dag, "dag_run_id": run, "run_id": run}
                path = "".join(str(at.get(word[1:-1], 1)) if word[:1] == "{" else word for word in split(template))
                yield Call(method.upper(), prefix + template, prefix + path, more, body)


def every_call(airflow: Installation, target: str, *, roundabout: bool = True) -> list[Call]:
    """Every call of Airflow at ``target``."""
    found = described(airflow)
    return [
        call
        for prefix, document in found
        for call in calls(document, prefix, target, airflow.made, roundabout=roundabout)
    ]


def described(airflow: Installation) -> list[tuple[str, dict[str, Any]]]:
    """Airflow's descriptions of its API, of the API of its own pages, and of that of users and roles."""
    from airflow.api_fastapi.core_api import openapi

    client = airflow.client("admin")
    pages = yaml.safe_load((Path(openapi.__path__[0]) / "_private_ui.yaml").read_text("utf-8"))
    return [
        ("", client.get("/openapi.json").json()),
        ("", pages),
        ("/auth", client.get("/auth/openapi.json").json()),
    ]


def state(airflow: Installation) -> dict[str, Any]:
    """Return everything that a call could have changed: the other DAGs' rows, and the rows common to all."""
    client = airflow.client("admin")

    def ask(path: str) -> Any:
        answer = client.get(path)
        assert answer.is_success, f"{path}: {answer.text}"
        return answer.json()

    found: dict[str, Any] = {
        path: ask(path)
        for path in ("/api/v2/pools", "/api/v2/connections", "/api/v2/variables", "/auth/fab/v1/roles?limit=100")
    }
    found["users"] = [(user["username"], user["roles"]) for user in ask("/auth/fab/v1/users?limit=100")["users"]]
    for dag in OTHERS:
        run, task = airflow.made[dag]["run"], airflow.made[dag]["task"]
        for path in ("", "/dagRuns", f"/dagRuns/{run}/taskInstances", f"/dagRuns/{run}/hitlDetails"):
            found[f"{dag}{path}"] = ask(f"/api/v2/dags/{dag}{path}")
        for kept in ("xcomEntries", "state-store"):
            found[f"{dag} {kept}"] = ask(f"/api/v2/dags/{dag}/dagRuns/{run}/taskInstances/{task}/{kept}")
        found[f"{dag} backfills"] = ask(f"/api/v2/backfills?dag_id={dag}")
    return found


def said_of_others(answer: httpx.Response) -> list[str]:
    """Return the other kommuner's DAGs that an answer names."""
    return [dag for dag in OTHERS if dag in answer.text]


def only_errors(answer: httpx.Response) -> bool:
    """Return whether a bulk call has done nothing."""
    said = answer.json() if answer.text[:1] == "{" else {}
    return any(isinstance(part, dict) and part.get("errors") and not part.get("success") for part in said.values())


@pytest.mark.parametrize("user", ["operator", "approver"])
def test_no_call_of_airflow_reaches_another_kommunes_dag_or_a_common_one(airflow: Installation, user: str) -> None:
    client, before = airflow.client(user), state(airflow)
    tried: set[str] = set()
    wrong: list[str] = []
    for target in OTHERS:
        for call in every_call(airflow, target, roundabout=target == "kommune_bergen"):
            if str(call) in tried or (call.operation == TRIGGER and OWN in call.path):
                continue  # the user's own DAG only
            answer = call.send(client)
            tried.add(str(call))
            may = call.operation in OPEN | ABOUT_ONESELF | LISTS | (STARS if OWN in call.path else set())
            if answer.status_code in REFUSED:
                continue
            if answer.is_success or answer.is_redirect:
                fine = may and not said_of_others(answer)
            else:
                fine = call.operation in MISASKED | OPEN
            if not fine:
                wrong.append(
                    f"{call.method} {call.path} {call.query} {call.body}: {answer.status_code} {answer.text[:200]}"
                )
    assert wrong == []
    assert len(tried) > 800
    assert state(airflow) == before


@pytest.mark.parametrize("user", ["nobody", None])
def test_without_a_role_or_a_login_nothing_is_seen_at_all(airflow: Installation, user: str | None) -> None:
    client, before = airflow.client(user), state(airflow)
    may = OPEN | (ABOUT_ONESELF if user else set())
    for target in (OWN, "kommune_bergen"):
        for call in every_call(airflow, target, roundabout=False):
            answer = call.send(client)
            if call.operation not in may and not (user and call.operation in MISASKED):
                assert answer.status_code in REFUSED, f"{call}: {answer.status_code} {answer.text[:200]}"
    assert state(airflow) == before


@pytest.mark.parametrize("user", ["operator", "approver"])
def test_of_ones_own_dag_one_may_change_what_the_role_says_and_nothing_else(airflow: Installation, user: str) -> None:
    client, changed, seen = airflow.client(user), set(), set()
    for call in every_call(airflow, OWN, roundabout=False):
        answer = call.send(client)
        if answer.is_success and not only_errors(answer):
            (seen if call.method == "GET" else changed).add(call.operation)
            assert not said_of_others(answer)
    assert changed - OPEN - ABOUT_ONESELF - LISTS == MAY_CHANGE[user]
    look = {("GET", f"{DAG_RUN}/taskInstances/{{task_id}}/logs/{{try_number}}"), ("GET", ANSWER[1]), ("GET", DAG)}
    assert look <= seen
    assert not {
        call for call in seen if re.search(r"xcom|dagSources|eventLogs|importErrors|config/|connections", call[1])
    }


def test_the_engineer_works_with_every_dag_but_answers_nothing_and_writes_no_xcom(airflow: Installation) -> None:
    client = airflow.client("engineer")
    dags = {dag["dag_id"] for dag in client.get("/api/v2/dags").json()["dags"]}
    assert dags >= {OWN, "kommune_bergen", *rights.COMMON}
    for dag in dags:
        path, run, task = f"/api/v2/dags/{dag}", airflow.made[dag]["run"], airflow.made[dag]["task"]
        instance = f"{path}/dagRuns/{run}/taskInstances/{task}"
        assert client.patch(path, json={"is_paused": True}).is_success
        assert client.get(f"{instance}/logs/1").is_success
        assert client.get(f"{instance}/xcomEntries/return_value").is_success
        assert client.post(f"{path}/clearTaskInstances", json={"dry_run": True, "dag_run_id": run}).is_success
        assert client.delete(path).status_code == 403
        assert client.post(f"{instance}/xcomEntries", json={"key": "answer", "value": "approved"}).status_code == 403
        answer = {"chosen_options": ["Approve"], "params_input": {}}
        assert client.patch(f"{instance}/-1/hitlDetails", json=answer).status_code == 403
    for path in ("connections", "variables", "config"):
        assert client.get(f"/api/v2/{path}").status_code == 403


def test_a_backfill_is_refused_for_every_dag_whoever_asks(airflow: Installation) -> None:
    client = airflow.client("admin")
    for dag in (OWN, *OTHERS):
        known = client.get(f"/api/v2/backfills?dag_id={dag}").json()["total_entries"]
        dates = {"from_date": "2026-10-01T00:00:00Z", "to_date": "2026-10-20T00:00:00Z"}
        answer = client.post("/api/v2/backfills", json={"dag_id": dag, **dates})
        assert answer.is_client_error, answer.text
        assert client.get(f"/api/v2/backfills?dag_id={dag}").json()["total_entries"] == known
        assert client.get(f"/api/v2/dags/{dag}/details").json()["allowed_run_types"] == ["manual", "scheduled"]


def test_every_dag_says_whose_it_is_and_what_it_does(airflow: Installation) -> None:
    shown = {dag["dag_id"]: dag for dag in airflow.client("admin").get("/api/v2/dags").json()["dags"]}
    assert {name: dag["owners"] for name, dag in shown.items()} == {
        OWN: ["Haugesund"],
        "kommune_bergen": ["Bergen"],
        "kommune_oslo": ["oslo"],
        **{dag: ["Dataflyt"] for dag in rights.COMMON},
    }
    assert all(dag["description"].endswith(".") for dag in shown.values())


def test_no_dag_vanishes_because_a_role_is_missing_and_a_command_makes_it(airflow: Installation) -> None:
    dags = airflow.client("admin").get("/api/v2/dags").json()["dags"]
    assert {dag["dag_id"]: dag["is_stale"] for dag in dags} == dict.fromkeys((OWN, *OTHERS), False)

    def made() -> str:
        command = [sys.executable, "-c", "from dataflyt.cli.main import app; app()", "airflow", "prepare"]
        return subprocess.run(command, env=airflow.environment, capture_output=True, text=True, check=True).stdout

    assert "nye: kommune_oslo_approver, kommune_oslo_operator" in made()
    assert "nye: ingen" in made()
