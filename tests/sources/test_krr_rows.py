import io
import os
from pathlib import Path

import orjson
import pytest

from dataflyt.errors import Unreadable
from dataflyt.sources.krr import fiks, personer

REFERENCE = os.environ.get("DATAFLYT_REFERENCE")
MOTHER, FATHER, CHILD = "02838639618", "21908439829", "15831499815"


def rows(answer):
    return list(personer.read(io.BytesIO(orjson.dumps(answer))))


def test_everything_a_notice_depends_on_is_read_as_it_stands():
    (row,) = rows(
        {
            "personer": [
                {
                    "personidentifikator": MOTHER,
                    "status": "AKTIV",
                    "reservasjon": "NEI",
                    "varslingsstatus": "KAN_VARSLES",
                    "kontaktinformasjon": {
                        "epostadresse": "a@example.no",
                        "epostadresse_oppdatert": "2026-03-29T10:14:52+02",
                        "mobiltelefonnummer_sist_verifisert": "2023-08-05T10:45:15.768Z",
                        "epostadresse_duplisert": "JA",
                    },
                    "digital_post": {"postkasseadresse": "x"},
                    "spraak": "se",
                    "ukjent_felt": 1,
                }
            ]
        }
    )
    assert (row.personidentifikator, row.status, row.reservasjon, row.spraak) == (MOTHER, "AKTIV", "NEI", "se")
    assert row.epostadresse_oppdatert == "2026-03-29T10:14:52+02"
    assert row.mobiltelefonnummer_sist_verifisert == "2023-08-05T10:45:15.768Z"
    assert row.epostadresse_duplisert == "JA"
    assert row.mobiltelefonnummer is None


@pytest.mark.parametrize("info", [None, {}, "", [], 5])
def test_a_person_without_contact_information_is_still_a_person(info):
    (row,) = rows({"personer": [{"personidentifikator": MOTHER, "kontaktinformasjon": info, "status": "SLETTET"}]})
    assert (row.status, row.epostadresse) == ("SLETTET", None)


def test_the_change_feed_holds_the_same_persons():
    item = {"personidentifikator": MOTHER, "reservasjon": "JA"}
    assert rows({"list": [item], "fraEndringsId": 1}) == rows({"personer": [item]}) == rows({"personer": item})


def test_entries_that_name_nobody_give_no_row():
    assert len(rows({"personer": [{"personidentifikator": MOTHER}, None, {}, {"status": "AKTIV"}]})) == 1
    assert rows({"personer": []}) == []
    with pytest.raises(Unreadable, match="ingen oppføring nevner en person"):
        rows({"personer": [{}, None]})


@pytest.mark.skipif(not REFERENCE, reason="DATAFLYT_REFERENCE is not set")
def test_the_reference_answers_are_read():
    folder = Path(REFERENCE) / "krr"
    with (folder / "krr_personer_response.json").open("rb") as stream:
        mother, father, child = personer.read(stream)
    assert (mother.epostadresse, mother.spraak) == ("mor@example.com", "nn")
    assert (father.reservasjon, father.reservasjonstidspunkt) == ("JA", "2023-06-13T13:42:34+02")
    assert child.status == "IKKE_REGISTRERT"
    with (folder / "hentEndringer_page.json").open("rb") as stream:
        assert len(list(personer.read(stream))) == 5


def by_fiks(*entries):
    return list(fiks.read(io.BytesIO(orjson.dumps({"personer": list(entries)}))))


def test_an_answer_of_fiks_is_read_as_krrs_own_and_only_about_who_was_asked_for():
    answer = {
        "fnr": MOTHER,
        "status": "AKTIV",
        "reservert": True,
        "kanVarsles": False,
        "epost": {"adresse": "a@b.no", "sistOppdatert": "2026-03-29T10:14:52.768Z"},
        "tlf": {"nummer": "", "sistVerifisert": "2023-06-10T21:00:01Z"},
    }
    (mother, unknown) = by_fiks({"fnr": MOTHER, "svar": answer}, {"fnr": FATHER}, {"fnr": CHILD, "svar": answer})
    assert (mother.reservasjon, mother.varslingsstatus, mother.status) == ("JA", "KAN_IKKE_VARSLES", "AKTIV")
    assert (mother.epostadresse, mother.epostadresse_oppdatert) == ("a@b.no", "2026-03-29T10:14:52.768Z")
    assert mother.mobiltelefonnummer is None
    assert (unknown.personidentifikator, unknown.status, unknown.epostadresse) == (FATHER, "IKKE_REGISTRERT", None)


def test_the_language_is_read_as_digdir_and_as_others_spell_it():
    person = {"personidentifikator": MOTHER, "sprak": "nn", "sprak_oppdatert": "2024-01-05T12:00:00+01"}
    (contact,) = personer.read(io.BytesIO(orjson.dumps({"personer": [person]})))
    assert (contact.spraak, contact.spraak_oppdatert) == ("nn", "2024-01-05T12:00:00+01")
