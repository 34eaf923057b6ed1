"""A whole run when a register gives too little, or unknown values (``simulator.faults``)."""

from collections import Counter

import pytest

from dataflyt.errors import SourceUnavailable, Unreadable
from tests.installation.fixtures import Installation


@pytest.mark.long
def test_whom_a_register_forgets_keeps_what_was_known_and_is_counted(installation: Installation) -> None:
    first = installation.run()
    before, known = installation.ldif(), installation.dump()
    faults = installation.registers.faults
    faults.requests.clear()
    faults.turn_on("half", "freg", 0)
    job = installation.open()
    with pytest.raises(SourceUnavailable):
        installation.steps(job, "extract_sas", "extract_hr", "extract_freg")
    assert installation.ldif() == before

    # Another try of the same run asks only about the missing people. FREG leaves out three of them again. KRR leaves
    # out three in its answer, and again in its second.
    faults.on.clear()
    faults.turn_on("few", "freg", 1)
    faults.turn_on("few", "krr", 2)
    report = installation.run(job=job)
    assert report["outcome"] == "released"
    assert not any(report["changed"].values())
    assert installation.ldif() == before
    golden = {table: rows for table, rows in installation.dump().items() if table.startswith("golden.")}
    assert golden == {table: rows for table, rows in known.items() if table.startswith("golden.")}
    assert "KRR svarte ikke for 3 av dem vi spurte om: det som var kjent fra før, gjelder." in report["sentences"]
    asked = Counter(asked["question"] for asked in faults.requests if asked["path"] == "freg" and not asked["fault"])
    assert set(asked.values()) <= {1}
    unanswered = [
        next(table["received"] for table in one["tables"] if table["table"] == "freg_ubesvart")
        for one in (first, report)
    ]
    assert unanswered[1] == unanswered[0] + 3


@pytest.mark.after_first_run
def test_codes_nobody_knows_take_and_give_nobody_access_and_lower_no_protection(installation: Installation) -> None:
    def rows(query: str) -> set[tuple[str, ...]]:
        return {tuple(map(str, row)) for row in installation.query(query)}

    access = "select child_id, adult from golden.guardian_access where to_run is null and state = 'active'"
    protected = "select person_id from golden.protection where to_run is null and level >= 2"
    vetoed = "select distinct person_id from control.veto where kind = 'protection' and lifted_at is null"
    before, sheltered = rows(access), rows(protected)
    published = installation.ldif()
    installation.registers.faults.turn_on("unknown_values", "freg", 0)
    report = installation.run()
    # An unknown word for foreldreansvar may mean that it has ended; unknown words for everybody at once are doubted.
    assert (report["outcome"], report["failed"]) == ("failed", ["withdraw"])
    assert rows(access) == before
    assert rows(protected) == sheltered
    # An unknown grading counts as the strictest: the fortrolig people leave the publication, and nobody enters it.
    gone = published.count("\ndn: uid=") - installation.ldif().count("\ndn: uid=")
    assert 0 < gone <= len(rows(vetoed))


@pytest.mark.parametrize(
    ("source", "page", "register"),
    [
        ("freg", "1-pupils-00001.json", "Folkeregisteret"),
        ("krr", "krr-00001.json", "KRR"),
    ],
)
def test_an_answer_that_cannot_be_read_is_named_with_its_register_and_page(
    installation: Installation, source: str, page: str, register: str
) -> None:
    job = installation.open()
    installation.steps(job, "extract_sas", "extract_hr", "extract_freg", "extract_krr")
    landing = job.landing(source)
    with landing.open(page) as stream:
        half = stream.read()[:-1000]
    landing.write(page, half)
    with pytest.raises(Unreadable) as raised:
        installation.steps(job, f"extract_{source}")
    assert raised.value.sentence == (
        f"Svaret fra {register} (side {page}) kan ikke leses: siden er ikke hel JSON, for den slutter for tidlig, "
        f"etter {len(half)} byte. Meld fra til en dataingeniør; en ny kjøring spør {register} på nytt."
    )
    assert raised.value.facts["page"] == page
