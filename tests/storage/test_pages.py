"""A landed page's name is made and parsed in one module, and the names on disk are stable."""

import pytest

from dataflyt.storage.landing import Landing
from dataflyt.storage.pages import Page, landed, questions


@pytest.mark.parametrize(
    ("name", "page"),
    [
        ("1-pupils-00001.json", Page("1-pupils", 1)),
        ("1-pupils-again-00012.json", Page("1-pupils", 12, again=True)),
        ("krr-00001.json", Page("krr", 1)),
        ("krr-again-00001.json", Page("krr", 1, again=True)),
        ("hr-00001.xml", Page("hr", 1, "xml")),
        ("oneroster-00001.zip", Page("oneroster", 1, "zip")),
        ("timetable-00001.ics", Page("timetable", 1, "ics")),
        ("calendar-00010.ics", Page("calendar", 10, "ics")),
        ("1106-1-00000.json", Page("1106-1", 0)),
    ],
)
def test_a_name_is_taken_apart_and_put_together_again(name: str, page: Page) -> None:
    assert Page.parse(name) == page
    assert str(page) == name


@pytest.mark.parametrize(
    "name",
    ["1-pupils-00001.request.json", "hr-00001.xml.file.json", "1106-1-job.json", "hr.xml", "hr-1.xml", "-00001.xml"],
)
def test_what_lies_beside_a_page_is_no_page(name: str) -> None:
    assert Page.parse(name) is None


def test_pages_and_questions_of_a_landing_come_in_the_order_of_their_names(tmp_path) -> None:  # type: ignore[no-untyped-def]
    landing = Landing(tmp_path)
    first, again, other = Page("1-pupils", 1), Page("1-pupils", 1, again=True), Page("2-guardians", 1)
    for page in (other, again, first):
        landing.write(page.question, b"{}")
        landing.write(str(page), b"{}")
    landing.write(Page("1-pupils", 2).question, b"{}")  # not answered yet
    landing.write("hr-00001.xml.file.json", b"{}")
    assert landed(landing) == [first, again, other]
    assert questions(landing, "1-pupils", again=False) == [first, Page("1-pupils", 2)]
    assert questions(landing, "1-pupils", again=True) == [again]
