"""A kommune without a BAS: its runs load the directory that Feide reads, and whoever is hidden leaves it at once."""

import logging
from dataclasses import replace
from datetime import date
from typing import Any

import ldap3
import pytest

from dataflyt.config.connections import Connection, path_of
from dataflyt.config.kommune import Delivery
from dataflyt.operations import nightly
from dataflyt.operations.doctor import Doctor
from dataflyt.run.republish import republish
from tests.exports.openldap import SUFFIX, OpenLdap, whole
from tests.installation.fixtures import Installation
from tests.warehouse.test_state import _override, pupils, tonight

PEOPLE = f"ou=people,{SUFFIX}"
CATALOGUE = Delivery(to="Katalogen", connection="katalog_haugesund", recipient="public")


@pytest.fixture
def said() -> dict[str, Any]:
    """What is otherwise in the connection to the directory."""
    return {}


@pytest.fixture
def here(installation: Installation, openldap: OpenLdap, said: dict[str, Any]) -> Installation:
    """Haugesund, which loads its directory."""
    known = installation.environment.connect

    def connect(name: str) -> Connection:
        return openldap.connection(**said) if name.startswith("katalog") else known(name)

    installation.environment = replace(installation.environment, connect=connect)
    installation.kommune = installation.kommune.model_copy(update={"delivery": {"feide_ldif": (CATALOGUE,)}})
    return installation


def follows(here: Installation, openldap: OpenLdap) -> bool:
    return openldap.held() == whole(here.ldif().encode())


def numbers(openldap: OpenLdap) -> set[str]:
    return {number for entry in openldap.held().values() for number in entry.get("noredupersonnin", ())}


@pytest.mark.long
@pytest.mark.after_first_run
def test_the_directory_follows_every_run_and_who_is_protected_leaves_it_before_the_next(
    here: Installation, openldap: OpenLdap, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    assert {one.fate for one in republish(here.kommune, here.environment)} == {"waits"}, "a new recipient waits"
    report = here.run()
    assert [one["fate"] for one in report["delivered"]] == ["delivered"]
    assert any("Levert: FEIDE (LDIF) til Katalogen" in sentence for sentence in report["sentences"])
    assert follows(here, openldap)

    # A pupil has a password, and logs in as through Feide; a teacher has a group of the pupil's.
    hidden, other = pupils(here, 2)
    with openldap.connected() as connection:
        connection.search(PEOPLE, f"(norEduPersonNIN={other.number})", attributes=["eduPersonEntitlement"])
        (found,) = connection.response
        connection.modify(found["dn"], {"userPassword": [(ldap3.MODIFY_REPLACE, ["hemmelig"])]})
        groups = [value for value in found["attributes"]["eduPersonEntitlement"] if ":groupid:" in value]
        (shared,) = [value for value in groups if ":groupid:b:" in value]
        connection.search(
            PEOPLE, f"(&(eduPersonAffiliation=faculty)(eduPersonEntitlement={shared}))", attributes=["uid"]
        )
        assert connection.response
    openldap.connected(found["dn"], "hemmelig").unbind()

    # Somebody is protected between two runs: the hourly task takes the person out, and nobody is told why.
    assert hidden.number in numbers(openldap)
    _override(here, hidden.number)
    caplog.clear()
    assert nightly.bring_in_line([here.kommune], here.environment) == []
    assert hidden.number not in numbers(openldap)
    assert follows(here, openldap)
    assert "katalog" not in caplog.text.lower()
    openldap.connected(found["dn"], "hemmelig").unbind()

    # A new run, and the same one again.
    here.clock = here.clock.replace(day=24)
    here.run()
    assert follows(here, openldap)
    assert {one.fate for one in republish(here.kommune, here.environment)} == {"same"}

    # Somebody writes in the directory: it is right again in the morning, and the log says that it was not.
    with openldap.connected() as connection:
        connection.delete(found["dn"])
    assert {one.fate for one in republish(here.kommune, here.environment)} == {"same"}
    assert not follows(here, openldap)
    caplog.clear()
    assert tonight(here).trouble == []
    assert follows(here, openldap)
    assert "Katalogen var endret av andre enn Dataflyt" in caplog.text
    assert other.number not in caplog.text
    assert found["dn"] not in caplog.text

    # The server is down when somebody is to leave: it is told, tried again, and done.
    openldap.stop()
    _override(here, other.number)
    (trouble,) = tonight(here).trouble
    assert "FEIDE (LDIF) til Katalogen: katalogen svarer ikke" in trouble.sentence
    openldap.start()
    assert other.number in numbers(openldap)
    assert nightly.bring_in_line([here.kommune], here.environment) == []
    assert other.number not in numbers(openldap)
    assert follows(here, openldap)

    # The kommune gets a BAS: the directory is left as it is, and the log says what that means.
    held = openldap.held()
    here.kommune = here.kommune.model_copy(update={"delivery": {}})
    caplog.clear()
    assert {one.fate for one in republish(here.kommune, here.environment)} == {"left"}
    assert openldap.held() == held
    assert "følger ikke lenger" in caplog.text
    assert republish(here.kommune, here.environment) == []


@pytest.mark.long
@pytest.mark.after_first_run
def test_a_run_says_what_is_wrong_with_the_directory_and_the_publication_stands(
    here: Installation, said: dict[str, Any]
) -> None:
    said["password"] = "feil"
    report = here.run()
    assert (report["outcome"], report["failed"]) == ("released", ["deliver"])
    (sentence,) = [one for one in report["sentences"] if one.startswith("Ikke levert: ")]
    assert sentence == (
        "Ikke levert: FEIDE (LDIF) til Katalogen: katalogen godtar ikke brukeren eller passordet. Rett login og "
        "passord i tilkoblingen."
    )

    def findings(**otherwise: Any) -> list[str]:
        said.clear()
        said.update(otherwise)
        examined = Doctor(here.environment.connect, path_of, date(2026, 11, 24), here.storage).examine(here.kommune)
        return [one.sentence for one in examined if "katalog" in one.sentence.lower()]

    (found,) = findings(password="feil")
    assert found.startswith("Tilkoblingen katalog: katalogen godtar ikke brukeren")
    (found,) = findings(url=f"ldap://katalog.example.no/{SUFFIX}")
    assert "skriv ldaps://" in found
    assert findings() == []

    # Only the FEIDE file can be loaded, and one kommune's directory is no other's.
    here.kommune = here.kommune.model_copy(update={"delivery": {"pifu": (CATALOGUE,)}})
    report = here.run()
    assert any("bare feide_ldif kan lastes i en katalog" in one for one in report["sentences"])
