"""Any request at all, by schemathesis: no page breaks, strangers get nothing, and nothing is told of another kommune.

The requests are made of the app's own description of its routes, with ids of real people of both kommuner among them.
``DATAFLYT_REQUESTS`` sets how many are made of each route for each user.
"""

import contextlib
import os
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import unquote_plus

import pytest
import requests
import schemathesis
from cryptography.hazmat.primitives.asymmetric import rsa
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.errors import Unsatisfiable
from hypothesis.strategies import SearchStrategy
from schemathesis import GenerationMode
from sqlalchemy import make_url

from dataflyt.config.loading import find
from dataflyt.operations.work_kinds import KINDS as WORK_KINDS
from dataflyt.run import report
from dataflyt.run.execute import Answer, execute
from dataflyt.warehouse.runs import User
from dataflyt.why.correcting import CORRECTORS
from dataflyt.why.questions import QUESTIONS
from dataflyt_web import decision_forms
from dataflyt_web.app import create_app
from dataflyt_web.pages.decisions import LISTS
from simulator.faults import Switches
from simulator.files import write_files
from simulator.server import create_app as registers_app
from simulator.world import build
from tests.dataflyt_web.airflow_server import Server, serving
from tests.dataflyt_web.test_in_airflow import waiting
from tests.installation.fixtures import CLIENT, KOMMUNER, SEED, TODAY, Installation, Served

pytestmark = pytest.mark.long

EACH = int(os.environ.get("DATAFLYT_REQUESTS", "4"))
NONE = [*HealthCheck]
USERS: dict[str | None, set[str]] = {
    None: set(),
    "nobody": set(),
    "anita": {"haugesund"},
    "operator": {"haugesund"},
    "birgitte": {"bergen"},
}
"""The users, and the kommuner that each may see. The operator may see nobody's name."""
REAL = {
    "kommune_id": ["haugesund", "bergen"],
    "dag_id": ["kommune_haugesund", "kommune_bergen"],
    "question": [*QUESTIONS],
    "act": ["try", "decide", "take", "csv", "confirmed", "refused"],
    "what": ["proposals", *LISTS],
    "file": ["html", "json"],
    "purpose": ["En prøve"],
    "school": [""],
    "owner": ["", *CORRECTORS],
    "at": ["", "2026-11-23", "0001-01-01", "9999-12-31"],
    "user": [""],
    "since": ["", "2026-11-23", "0001-01-01"],
}
"""Values of fields that lead further than to a complaint. Every other field may have a person's or a group's id."""

_PEOPLE = """
select p.number, a.uid, concat_ws(' ', p.fornavn, p.mellomnavn, p.etternavn)
from golden.person p join golden.account a using (owner, person_id)
where p.to_run is null and a.to_run is null and p.number is not null
"""


def first_run_of_bergen(installation: Installation, folder: Path, key: rsa.RSAPrivateKey) -> Installation:
    """Let Bergen have its own registers, files and first run, in the same warehouse and storage."""
    world = build("4601", SEED, TODAY, pupils=60)
    served, drop = Served(), folder / "bergen"
    served.app = registers_app(world, served.url, key.public_key(), None, CLIENT, faults=Switches())
    write_files(world, TODAY, drop)
    url = make_url(installation.warehouse_url).set(username="kommune_bergen").render_as_string(hide_password=False)
    connect, ours = installation.environment.connect, installation.registers.url

    def of_bergen(name: str) -> Any:
        found = connect(name)
        if name.startswith("warehouse"):
            return replace(found, url=url)
        if name.startswith(("hr", "sas")):
            return replace(found, url=str(drop / "4601" / name.split("_")[0]))
        extra = {**found.extra, "token_endpoint": f"{served.url}/token", "issuer": f"{served.url}/"}
        return replace(found, url=found.url.replace(ours, served.url), extra=extra)

    kommune = find(KOMMUNER, "bergen")
    freg = kommune.sources.freg.model_copy(update={"residents": None})
    kommune = kommune.model_copy(update={"sources": kommune.sources.model_copy(update={"freg": freg})})
    environment = replace(installation.environment, connect=of_bergen)
    bergen = replace(installation, kommune=kommune, environment=environment, warehouse_url=url, runs=0)
    try:
        ended = execute(bergen.open(), lambda asked: Answer("approved", User("102", "Birgitte"), "airflow"))
        if ended.error:
            raise ended.error
    finally:
        served.stop()
    return bergen


def people_of(here: Installation) -> set[str]:
    """Return the numbers, user names and whole names of a kommune's people; not names that may be within a word."""
    return {one for row in here.query(_PEOPLE) for one in row if one and len(one) > 8}


def ids_of(here: Installation) -> list[str]:
    """Return what people of a kommune can be asked for by: of an open pupil, a guardian, a protected one, an adult."""
    found = [
        here.query(f"select x.who from ({query}) x order by 1 limit 1")
        for query in (
            "select uid as who from golden.account a join golden.protection p using (owner, person_id) where level = 0",
            "select number as who from golden.person join golden.protection using (owner, person_id) where level = 2",
            "select p.number as who from golden.person p join golden.guardian_access g "
            "on g.owner = p.owner and g.adult = p.person_id::text and g.state = 'active'",
            "select e.person_id::text as who from golden.employment e",
            "select group_id as who from golden.school_group",
        )
    ]
    return [str(who) for rows in found for (who,) in rows]


def described(mine: set[str], ids: list[str], token: str, *, anything: bool) -> dict[str, Any]:
    """Return the app's description of its routes, whose fields have real values, or anything of their type besides.

    Who may see a kommune, ``mine``, looks there with real values.
    """
    said = create_app().openapi()
    for path, ways in said["paths"].items():
        for way in ways.values():
            way.pop("security", None)  # a token of schemathesis' own would go before the user's
            for parameter in way.get("parameters", ()):
                kinds = decision_forms.KINDS if path.endswith("/new/{kind}") else {}
                if mine and not anything and parameter["name"] == "kommune_id":
                    parameter["schema"] = {"enum": [*mine]}
                    continue
                parameter["schema"] = known(parameter["name"], parameter["schema"], ids, kinds, anything=anything)
    for name, form in said["components"]["schemas"].items():
        fields: dict[str, Any] = form.get("properties", {})
        if name.startswith("Body_decide"):  # its fields depend on the kind: the route reads them itself
            of_kinds = [one for kind in decision_forms.KINDS.values() for one in decision_forms.fields_of(kind)]
            fields |= {one.name: {"enum": [*one.choices]} for one in of_kinds}
        form["properties"] = {one: known(one, of, ids, anything=anything) for one, of in fields.items()}
        form["required"] = [] if anything else [*fields]
        if "token" in fields:
            form["properties"]["token"] = {"enum": [token]}
    return said


def known(
    name: str, schema: dict[str, Any], ids: list[str], kinds: Iterable[str] = (), *, anything: bool
) -> dict[str, Any]:
    """Return the schema of a field that has values which lead further than to a complaint."""
    if schema.get("type") == "boolean" or schema.get("enum"):
        return schema
    if schema.get("type") == "integer":
        return {"enum": [1, 2]} if not anything else {"anyOf": [{"enum": [0, -1, 10**30]}, schema]}
    of = [*(kinds or (*report.KINDS, *WORK_KINDS))] if name == "kind" else REAL.get(name, ids)
    return {"anyOf": [{"enum": of}, {"type": "string"}]} if anything else {"enum": of}


def look_around(user: str | None, server: Server, ids: list[str], secrets: Mapping[str, set[str]]) -> bool:
    """Make requests of each route as a user; return whether one was told of somebody."""
    mine = USERS[user]
    hidden, own = (set().union(*(secrets[one] for one in secrets if (one in mine) is of)) for of in (False, True))
    session = requests.Session()
    session.trust_env = False
    headers = {"accept": "text/html"} | ({"cookie": f"_token={server.tokens[user]}"} if user else {})
    # A user without a form sends the form of another user.
    form = (user, "bergen") if "bergen" in mine else ("anita", "haugesund")
    with server.browser(form[0]) as browser:
        page = browser.get(f"/dataflyt/kommune/{form[1]}/why").text
    (token,) = set(re.findall(r'name="token" value="([^"]+)"', page))
    told = False

    def look(case: Any) -> None:
        nonlocal told
        answer = case.call(base_url=f"{server.url}/dataflyt", session=session, headers=headers, allow_redirects=False)
        where = f"{user}: {answer.request.method} {answer.request.url}"
        assert answer.status_code < 500, where
        sent = unquote_plus(f"{answer.request.url} {answer.request.body}")  # what was typed stands in the answer's form
        assert not [one for one in hidden if one in answer.text and one not in sent], where
        if not user:
            assert answer.status_code in (302, 401, 404, 405), where
        elif case.path_parameters and case.path_parameters.get("kommune_id") not in [*mine, None]:
            assert answer.status_code in (403, 404, 405, 422), where
        told |= any(one in answer.text and one not in sent for one in own)

    for anything, mode in ((False, GenerationMode.POSITIVE), *((True, mode) for mode in GenerationMode)):
        routes = schemathesis.openapi.from_dict(described(mine, ids, token, anything=anything)).get_all_operations()
        for route in routes:
            many(route.ok().as_strategy(generation_mode=mode), look)
    return told


def many(cases: SearchStrategy[Any], look: Callable[[Any], None]) -> None:
    """Look at many cases, if there are any: a route without parameters has nothing that could be wrong."""

    @settings(
        max_examples=EACH, deadline=None, database=None, phases=[Phase.generate], suppress_health_check=[*HealthCheck]
    )
    @seed(SEED)
    @given(case=cases)
    def look_at(case: Any) -> None:
        look(case)

    with contextlib.suppress(Unsatisfiable):
        look_at()


@pytest.mark.after_first_run
def test_no_request_breaks_a_page_or_tells_a_stranger_anything(
    installation: Installation, tmp_path: Path, signing_key: rsa.RSAPrivateKey
) -> None:
    bergen = first_run_of_bergen(installation, tmp_path, signing_key)
    waiting(installation)
    secrets = {"haugesund": people_of(installation), "bergen": people_of(bergen)}
    of_both = secrets["haugesund"] & secrets["bergen"]
    secrets = {name: some - of_both for name, some in secrets.items()}
    assert all(len(some) > 100 for some in secrets.values())
    ids = [*ids_of(installation), *ids_of(bergen)]
    with serving(tmp_path / "airflow", installation) as server:
        told = {user: look_around(user, server, ids, secrets) for user in USERS}
    assert told["anita"] or told["birgitte"], "the requests lead to people"
    assert not told["operator"]
