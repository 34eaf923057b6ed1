"""Faults in KRR's answers: the rule for each, the party that has to correct it, and the effect meanwhile.

A contact with a malformed e-mail keeps its mobile alone, and a contact with an unreadable time merely counts as
expired. Both are therefore noted and not put in quarantine. Only the person can correct them (norge.no, "Min profil"),
hence KRR is responsible.
"""

from typing import TYPE_CHECKING

from dataflyt.formats.reaching import KRR_MAIL, KRR_MOBILE
from dataflyt.quality.expectations import build
from dataflyt.quality.rules import (
    Context,
    Rules,
    ambiguous,
    identity_number,
    kept,
    matches,
    never,
    note,
    one_of,
    row,
    seldom,
    table,
)
from dataflyt.sources.krr import rows

if TYPE_CHECKING:
    from great_expectations import ExpectationSuite

_KRR = "KRR"
_US = "dataingeniør"

_TIMES = [
    *("reservasjonstidspunkt", "epostadresse_oppdatert", "epostadresse_sist_verifisert"),
    *("mobiltelefonnummer_oppdatert", "mobiltelefonnummer_sist_verifisert"),
]
_BAD_TIME = " or ".join(rf"{time} !~ '^\d\d\d\d-' or not pg_input_is_valid({time}, 'timestamptz')" for time in _TIMES)

RULES: Rules = {
    "krr_contact": (
        table("drop", kept(), _KRR, "KRR svarte for langt færre enn sist."),
        table(
            "share",
            seldom("status is distinct from 'AKTIV'", percent=50),
            _KRR,
            "KRR sier at over halvparten ikke er registrert.",
        ),
        row(
            "number", identity_number("personidentifikator"), _KRR, "Fødsels- eller d-nummeret har ikke elleve siffer."
        ),
        row(
            "ambiguous",
            ambiguous(rows.Contact._fields),
            _KRR,
            "KRR svarte to ganger for samme person, og svarene er ulike.",
        ),
        note(
            "status",
            one_of("status", "AKTIV", "SLETTET", "IKKE_REGISTRERT"),
            _US,
            "KRR bruker en status vi ikke kjenner.",
        ),
        note("reservasjon", one_of("reservasjon", "JA", "NEI"), _US, "KRR bruker en reservasjon vi ikke kjenner."),
        note(
            "varslingsstatus",
            one_of("varslingsstatus", "KAN_VARSLES", "KAN_IKKE_VARSLES"),
            _US,
            "KRR bruker en varslingsstatus vi ikke kjenner.",
        ),
        note("email", matches("epostadresse", KRR_MAIL), _KRR, "E-postadressen er ikke gyldig."),
        note("mobile", matches("mobiltelefonnummer", KRR_MOBILE), _KRR, "Mobilnummeret er ikke gyldig."),
        note("time", never(_BAD_TIME), _KRR, "Et tidspunkt kan ikke leses, så opplysningen regnes som utløpt."),
    ),
}


def suites(context: Context) -> "list[ExpectationSuite]":
    """Make the suite of KRR's table, for a run that has asked KRR."""
    return build(RULES, context)
