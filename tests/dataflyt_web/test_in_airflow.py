"""The pages in a real Airflow with FAB: who sees what, what the logs say, and the pages in a real browser."""

import re
import shutil
from datetime import UTC, datetime
from importlib import import_module, resources
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import httpx
import pytest

from dataflyt.run.job import open_job
from tests.dataflyt_web.airflow_server import Server, serving
from tests.installation.fixtures import Installation
from tests.on_airflow.rights_world import RUN

pytestmark = pytest.mark.long

PURPOSE = "Undersøker et spørsmål fra rektor"
PLAN = "/dataflyt/kommune/haugesund/plan"
STACKED = (
    "Array.from(document.querySelectorAll('.labelled'), table => table.parentElement)"
    ".every(scroll => innerWidth > 700 || scroll.scrollWidth <= scroll.clientWidth)"
)
"""On a phone, a table whose rows are cards is not wider than the screen."""
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


def waiting(installation: Installation) -> None:
    """Let the run of ``rights_world`` wait for an approver."""
    at = datetime(2026, 11, 24, 3, tzinfo=UTC)
    job = open_job(
        installation.kommune, RUN.format("kommune_haugesund"), at, installation.environment, full_reload=True
    )
    installation.steps(job, "extract_sas", "extract_hr", "extract_freg", "extract_krr", "withdraw", "check", "merge")


def sees(server: Server, user: str | None, path: str) -> tuple[int, str]:
    with server.browser(user) as browser:
        answer = browser.get(path)
        return answer.status_code, answer.text


@pytest.mark.after_first_run
def test_everybody_sees_in_airflow_what_their_role_lets_them_and_nothing_of_it_is_in_a_log(
    installation: Installation, tmp_path: Path
) -> None:
    waiting(installation)
    with serving(tmp_path / "airflow", installation) as server:
        each_user_sees_their_own(server)
        names = an_approver_sees_names(server, installation)
        strangers_get_nothing(server)
        airflow_leads_to_the_pages(server)
        if CHROMIUM and all(map(find_spec, ("playwright", "axe_playwright_python"))):
            in_a_browser(server, installation)
        log = server.log.read_text("utf-8")
    assert "/dataflyt/kommune/haugesund/plan/2" in log
    for secret in (PURPOSE, "rektor", pupil_of(installation), *names):
        assert secret not in log


def each_user_sees_their_own(server: Server) -> None:
    both = {"Haugesund", "Bergen"}
    for user, seen in {
        "anita": {"Haugesund"},
        "operator": {"Haugesund"},
        "birgitte": {"Bergen"},
        "engineer": both,
        "admin": both,
        "nobody": set(),
    }.items():
        status, page = sees(server, user, "/dataflyt/")
        assert status == 200
        assert {name for name in both if name in page} == seen, user
        for name in both:
            for path in (f"kommune/{name.lower()}", f"kommune/{name.lower()}/plan", f"dag/kommune_{name.lower()}"):
                status, page = sees(server, user, f"/dataflyt/{path}")
                there = 302 if path.startswith("dag") else 200
                assert status == (there if name in seen else 404), (user, path)
        if "Haugesund" in seen:
            assert "Venter på svar" in sees(server, user, "/dataflyt/")[1]
            offered = "Vis navn" in sees(server, user, f"{PLAN}/1")[1]
            assert offered == (user == "anita"), user
    assert f"/runs/{RUN.format('kommune_haugesund')}/tasks/approve/required_actions" in sees(server, "anita", PLAN)[1]


def an_approver_sees_names(server: Server, installation: Installation) -> set[str]:
    """Return names that were shown."""
    with server.browser("anita") as browser:
        token = re.findall(r'name="token" value="([^"]+)"', browser.get(f"{PLAN}/1").text)[0]
        form = {"token": token, "kind": "pupil_starts", "purpose": PURPOSE}
        answer = browser.post(f"{PLAN}/1", data=form, headers={"origin": server.url})
        assert answer.status_code == 200
        shown = set(re.findall(r'<th scope="row">([^<]+ [^<]+)</th>', answer.text.split('id="names"')[1]))
        assert len(shown) > 20
        for origin in ("https://evil.example", "null"):
            assert browser.post(f"{PLAN}/1", data=form, headers={"origin": origin}).status_code == 403
    with server.browser("engineer") as browser:
        assert browser.post(f"{PLAN}/1", data=form).status_code == 403
    kept = installation.query("select distinct user_id, purpose, place from control.audit where action = 'plan rows'")
    assert [tuple(row) for row in kept] == [("101", PURPOSE, "side plan 1")]
    return {name for name in shown if "navngitt" not in name}


def strangers_get_nothing(server: Server) -> None:
    with server.browser(None) as browser:
        for path in ("", "kommune/haugesund", "kommune/haugesund/plan/1", "dag/kommune_haugesund", "no/such"):
            answer = browser.get(f"/dataflyt/{path}")
            assert "augesund" not in answer.text
            assert answer.status_code == (404 if path == "no/such" else 302)
        assert browser.post(f"{PLAN}/1", data={"purpose": "x"}).status_code == 401
        login = browser.get("/dataflyt/kommune/haugesund", follow_redirects=True)
        assert login.url.path == "/auth/login/"
        assert login.url.params["next"] == "/dataflyt/kommune/haugesund"
        assert 'name="password"' in login.text
    forged = httpx.get(
        f"{server.url}/dataflyt/",
        cookies={"_token": server.tokens["anita"] + "x"},
        headers={"accept": "text/html"},
        trust_env=False,
    )
    assert forged.status_code == 302


def airflow_leads_to_the_pages(server: Server) -> None:
    admin = {"authorization": f"Bearer {server.tokens['admin']}"}
    plugins = httpx.get(f"{server.url}/api/v2/plugins", headers=admin, trust_env=False).json()["plugins"]
    (ours,) = [plugin for plugin in plugins if plugin["name"] == "dataflyt_pages"]
    views = {view["destination"]: view["href"] for view in ours["external_views"]}
    assert views["nav"] == "dataflyt/"
    where = {"DAG_ID": "kommune_haugesund", "RUN_ID": RUN.format("kommune_haugesund")}
    for destination, ends in (("dag", "kommune/haugesund"), ("dag_run", "kommune/haugesund/plan/2")):
        with server.browser("anita") as browser:
            answer = browser.get("/" + views[destination].format(**where), follow_redirects=True)
            assert answer.status_code == 200
            assert str(answer.url).endswith(ends)
            assert answer.headers["x-frame-options"] == "SAMEORIGIN"


def in_a_browser(server: Server, installation: Installation) -> None:
    """Walk every page as everybody, in light and dark and on a phone; axe finds nothing, and nothing is refused."""
    playwright = import_module("playwright.sync_api")
    axe = (resources.files("axe_playwright_python") / "axe.min.js").read_text("utf-8")
    pages = [
        "",
        "?dataflyt_language=en",
        "runs",
        "runs?since=2020-01-01",
        "kommune/haugesund",
        "kommune/haugesund?run=1",
        "kommune/haugesund/plan",
        "kommune/haugesund/plan/1",
        *(f"kommune/haugesund/{page}" for page in ("why", "person", "worklist", "quality", "decisions", "privacy")),
        "kommune/haugesund/decisions/new/grant",
        "no/such",
    ]
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        for user, look in {
            "anita": {"color_scheme": "light"},
            "operator": {"color_scheme": "dark"},
            "engineer": {"color_scheme": "light", "viewport": {"width": 390, "height": 844}},
            "nobody": {"color_scheme": "dark", "viewport": {"width": 390, "height": 844}},
        }.items():
            context: Any = browser.new_context(**look)
            context.add_cookies([{"name": "_token", "value": server.tokens[user], "url": server.url}])
            page = context.new_page()
            complaints: list[str] = []
            page.on("console", lambda said, kept=complaints: kept.append(said.text) if said.type == "error" else None)
            for path in pages:
                page.goto(f"{server.url}/dataflyt/{path}")
                refused = [one for one in complaints if "404" not in one]
                assert refused == [], (user, path)
                assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), (user, path)
                page.evaluate(axe)
                assert page.evaluate(STACKED), (user, path)
                found = page.evaluate("axe.run().then(r => r.violations.map(v => v.id + ' ' + v.nodes[0].html))")
                assert found == [], (user, path)
            if user == "anita":
                the_theme_is_the_one_chosen_in_airflow(page, server)
                the_keyboard_reaches_the_names(page, server)
                the_answers_are_for_everybody(page, server, installation, axe)
            context.close()
        browser.close()


def the_theme_is_the_one_chosen_in_airflow(page: Any, server: Server) -> None:
    page.goto(f"{server.url}/dataflyt/")
    ground = "getComputedStyle(document.documentElement).backgroundColor"
    light = page.evaluate(ground)
    page.evaluate("localStorage.setItem('theme', 'dark')")
    page.reload()
    assert page.evaluate(ground) != light
    page.evaluate("localStorage.removeItem('theme')")
    page.reload()
    assert page.evaluate(ground) == light


def the_keyboard_reaches_the_names(page: Any, server: Server) -> None:
    page.goto(f"{server.url}{PLAN}/1")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.focus("#purpose")
    page.keyboard.type(PURPOSE)
    page.keyboard.press("Enter")
    page.wait_for_selector("#names table")
    assert page.locator("#names tbody tr").count() > 2
    assert PURPOSE.split()[0] not in page.url


def pupil_of(installation: Installation) -> str:
    """Return the user name of a pupil who is not protected, and has a guardian."""
    ((uid,),) = installation.query(
        "select a.uid from golden.account a join golden.protection p using (owner, person_id) "
        "join golden.guardian_access g on g.owner = a.owner and g.child_id = a.person_id "
        "where p.level < 2 and not p.held_back and g.state = 'active' order by a.uid limit 1"
    )
    return str(uid)


def the_answers_are_for_everybody(page: Any, server: Server, installation: Installation, axe: str) -> None:
    """Ask for a person, why, the work list, the audit and a decision; axe finds nothing, and no address tells whom."""
    pupil = pupil_of(installation)
    for path, fields, answer in (
        ("person", {"#who": pupil}, "button.as-link"),
        ("why", {"#who": pupil}, ".chain"),
        ("worklist", {}, "#items"),
        ("decisions/new/hold_back", {"#f-person": pupil, "#f-reason": "Ikke avklart"}, "#effect"),
        ("decisions", {}, "#list"),
        ("privacy", {}, "table"),
    ):
        page.goto(f"{server.url}/dataflyt/kommune/haugesund/{path}")
        for field, said in fields.items():
            page.fill(field, said)
        if path == "why":
            page.select_option("#question", "resources")
        purpose = "#purpose-audit" if path == "privacy" else "#purpose"
        page.fill(purpose, PURPOSE)
        page.press(purpose, "Enter")  # on a form that decides: the first button, which only tries
        page.wait_for_selector(answer)
        assert pupil not in page.url
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path
        page.evaluate(axe)
        found = page.evaluate("axe.run().then(r => r.violations.map(v => v.id + ' ' + v.nodes[0].html))")
        assert found == [], path
