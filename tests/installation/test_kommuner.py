"""A kommune changes name, number and realm; a kommune becomes part of another; a kommune is split."""

import re

import pytest

from dataflyt.run.republish import republish
from tests.installation.fixtures import Installation

FORMER = "eduPersonEntitlement: urn:mace:feide.no:operational:merge:formerEduPersonPrincipalName:"
OLD, NEW = "haugesund.kommune.no", "nyhaugesund.kommune.no"


def _people(ldif: str) -> dict[str, str]:
    """Return each person's entry by user name, with folded lines made whole."""
    entries = ldif.replace("\n ", "").split("\n\n")
    return {found[1]: entry for entry in entries if (found := re.search(r"^uid: (\S+)$", entry, re.MULTILINE))}


@pytest.mark.after_first_run
def test_a_new_name_and_number_change_nothing_else(installation: Installation) -> None:
    before, published = installation.dump(), _people(installation.ldif())
    renamed = {"name": "Nye Haugesund", "kommunenummer": ("4699",), "orgnr": "964338531"}
    installation.kommune = installation.kommune.model_copy(update=renamed)
    report = installation.run(answer="rejected")
    assert report["outcome"] == "released", "nobody was asked"
    assert not any(report["changed"].values())
    assert _people(installation.ldif()) == published
    assert "o: Nye Haugesund kommune" in installation.ldif()
    assert "norEduOrgNIN: NO964338531" in installation.ldif()
    after = installation.dump()
    assert {table for table in before if before[table] != after[table]} <= {"golden.work_item"}


@pytest.mark.after_first_run
def test_a_new_realm_takes_an_approver_and_keeps_the_old_names_of_all_but_the_protected(
    installation: Installation,
) -> None:
    before = _people(installation.ldif())
    feide = installation.kommune.feide.model_copy(update={"realm": NEW})
    installation.kommune = installation.kommune.model_copy(update={"feide": feide})
    republish(installation.kommune, installation.environment)
    assert _people(installation.ldif()) == before, "an edit of the file alone renames nobody"
    assert installation.run(answer="rejected")["outcome"] == "rejected"
    assert f"@{NEW}" not in installation.ldif()

    assert installation.run(answer="approved")["outcome"] == "released"
    after = _people(installation.ldif())
    assert after.keys() == before.keys(), "the user names are the same"
    fortrolig = {
        uid
        for (uid,) in installation.query(
            "select a.uid from golden.account a join golden.protection p on p.person_id = a.person_id "
            "where p.level >= 2 and p.to_run is null and a.to_run is null"
        )
    } & after.keys()
    assert fortrolig
    for uid, entry in after.items():
        assert f"eduPersonPrincipalName: {uid}@{NEW}" in entry
        assert re.findall(f"{FORMER}(\\S+)", entry) == ([] if uid in fortrolig else [f"{uid}@{OLD}"])

    # Nobody is asked again, and who starts later has never had the old name.
    assert installation.run(answer="rejected")["outcome"] == "released"
