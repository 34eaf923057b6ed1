"""The rules that catch faults in KRR's answers."""

from collections.abc import Callable
from typing import Any

from dataflyt.sources.krr.rows import Contact


def contact(number: str, **fields: Any) -> Contact:
    known = {
        "status": "AKTIV",
        "reservasjon": "NEI",
        "varslingsstatus": "KAN_VARSLES",
        "epostadresse": "snill.elefant@example.no",
        "epostadresse_oppdatert": "2023-06-29T10:14:52+02",
        "mobiltelefonnummer": "+4799999999",
        "mobiltelefonnummer_sist_verifisert": "2023-08-05T10:45:15.768Z",
    }
    return Contact(**{**dict.fromkeys(Contact._fields), "personidentifikator": number, **known, **fields})


def test_only_a_contact_of_nobody_or_two_that_disagree_are_quarantined(check: Callable[..., Any]) -> None:
    rows = [
        ("sound", contact("01819912345")),
        ("sound", contact("01819912345")),  # repeated: merged into one
        ("sound", contact("02819912345", epostadresse=None, mobiltelefonnummer=None, status="IKKE_REGISTRERT")),
        ("malformed", contact("0181991234")),
        ("first", contact("03819912345")),
        ("second", contact("03819912345", mobiltelefonnummer="+4788888888")),
    ]
    found = check("krr", rows)
    assert found.quarantined == {
        ("malformed", "krr_contact.number"),
        ("first", "krr_contact.ambiguous"),
        ("second", "krr_contact.ambiguous"),
    }
    assert not found.broken
    assert not found.noted


def test_a_bad_email_does_not_cost_the_mobile(check: Callable[..., Any]) -> None:
    found = check("krr", [contact("01819912345", epostadresse="snill elefant@example.no")])
    assert (found.quarantined, found.noted) == (set(), {"krr_contact.email"})


def test_what_cannot_be_used_is_noted(check: Callable[..., Any]) -> None:
    odd = {"status": "NY", "reservasjon": "KANSKJE", "varslingsstatus": "NY", "mobiltelefonnummer": "ukjent"}
    found = check("krr", [contact("01819912345", **odd, epostadresse_oppdatert="i fjor")])
    assert found.noted == {
        *("krr_contact.status", "krr_contact.reservasjon", "krr_contact.varslingsstatus"),
        *("krr_contact.mobile", "krr_contact.time"),
    }
    assert not found.quarantined


def test_an_answer_that_nobody_is_registered_stops_the_run(check: Callable[..., Any]) -> None:
    gone = [contact(f"{i:011}", status="IKKE_REGISTRERT") for i in range(11)]
    assert check("krr", gone).broken == {"krr_contact.share"}


def test_an_empty_answer_stops_the_run_where_there_was_one_before(check: Callable[..., Any]) -> None:
    assert check("krr", [], {"krr_contact": 10}).broken == {"krr_contact.drop"}
    assert not check("krr", []).broken
