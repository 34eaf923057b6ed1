"""The app: nobody gets in without a login, nothing may be kept, and no form comes from elsewhere."""

import re
from collections.abc import Callable

import pytest
from fastapi.routing import APIRoute
from starlette.routing import Mount

from dataflyt_web.app import create_app
from dataflyt_web.forms import must_be_ours
from dataflyt_web.login import somebody, visit
from tests.dataflyt_web.conftest import Browser

Open = Callable[[str | None], Browser]


def needed_by(dependant: object) -> set[object]:
    """Return every function that a route depends on."""
    found = {one.call for one in dependant.dependencies}  # type: ignore[attr-defined]
    return found.union(*(needed_by(one) for one in dependant.dependencies))  # type: ignore[attr-defined]


def routes() -> list[APIRoute]:
    """Return every route of the app, its static files apart."""
    found = create_app().routes
    assert {one.path for one in found if isinstance(one, Mount)} == {"/static"}
    assert all(isinstance(one, (APIRoute, Mount)) for one in found)
    return [one for one in found if isinstance(one, APIRoute)]


def test_every_route_asks_who_is_there_and_every_kommunes_route_for_the_right_to_it() -> None:
    for route in routes():
        needed = needed_by(route.dependant)
        assert somebody in needed, route.path
        assert visit in needed or "{kommune_id}" not in route.path, route.path
        assert must_be_ours in needed or route.methods <= {"GET", "HEAD"}, route.path
    assert len(routes()) > 2


def anywhere(route: APIRoute, kommune: str = "haugesund") -> str:
    """Return an address of a route."""
    given = {"kommune_id": kommune, "dag_id": f"kommune_{kommune}"}
    return re.sub(r"\{(\w+)(:\w+)?\}", lambda one: given.get(one[1], "1"), route.path)


def test_a_crawler_without_a_login_gets_nothing(pages: Open) -> None:
    crawler, liar = pages(None), pages("no such token")
    for route in routes():
        for method in route.methods:
            for browser in (crawler, liar):
                answer = browser.request(method, anywhere(route))
                if method == "GET":
                    assert answer.status_code == 302
                    assert answer.headers["location"].startswith(".")
                    assert "/api/v2/auth/login?next=%2F" in answer.headers["location"]
                else:
                    assert answer.status_code == 401
                assert "augesund" not in answer.text
            assert crawler.request(method, anywhere(route), headers={"accept": "*/*"}).status_code == 401
    assert crawler.get("/openapi.json").status_code == crawler.get("/docs").status_code == 404


def test_another_kommune_answers_as_one_that_does_not_exist(pages: Open) -> None:
    anita, nobody = pages("anita"), pages("nobody")
    for route in routes():
        if "{kommune_id}" in route.path or "{dag_id}" in route.path:
            for method in route.methods:
                theirs = anita.request(method, anywhere(route, "bergen"))
                unknown = anita.request(method, anywhere(route, "atlantis"))
                assert theirs.status_code == unknown.status_code == (404 if method == "GET" else 403)
                said = [re.sub("bergen|atlantis", "", one.text) for one in (theirs, unknown)]
                assert said[0] == said[1]
                assert nobody.request(method, anywhere(route)).status_code in (403, 404)


@pytest.mark.parametrize("path", ["/", "/kommune/haugesund", "/no/such/page"])
def test_no_page_may_be_kept_framed_elsewhere_or_run_scripts_of_others(pages: Open, path: str) -> None:
    answer = pages("anita").get(path)
    assert answer.headers["cache-control"] == "no-store"
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'self'" in policy
    assert "unsafe" not in policy
    assert answer.headers["x-frame-options"] == "SAMEORIGIN"
    assert not re.search(r"<script(?! src=)|<style|\sstyle=|\son\w+=", answer.text)
    for address in re.findall(r'(?:href|src|action)="([^"]*)"', answer.text):
        assert address.startswith((".", "#", "?")), address  # a proxy may give Airflow a path of its own


def test_static_files_are_kept_and_everybody_may_have_them(pages: Open) -> None:
    answer = pages(None).get("/static/dataflyt.css")
    assert answer.status_code == 200
    assert "immutable" in answer.headers["cache-control"]


def test_a_page_comes_in_the_chosen_language_from_then_on(pages: Open) -> None:
    browser = pages("anita")
    assert 'lang="nb"' in browser.get("/").text
    assert ">Overview<" in browser.get("/?dataflyt_language=en").text
    assert ">Overview<" in browser.get("/").text
    assert 'lang="nb"' in browser.get("/?dataflyt_language=xx").text


def test_no_word_after_the_question_mark_breaks_a_page(pages: Open) -> None:
    # The links to other languages repeat what stands there, and one could bear the name of a parameter of ours.
    for user, path, status in ((None, "/unknown", 404), ("anita", "/", 200), ("anita", "/unknown", 404)):
        answer = pages(user).get(f"{path}?path=x&request=y&self=z")
        assert answer.status_code == status
        assert "path=x" in answer.text
