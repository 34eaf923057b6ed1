"""The table of KRR, the same for all routes. Each format has a module that reads its answers (``formats``).

The digital mailbox and the certificate are not read.

Source: Digdir, "Kontakt- og reservasjonsregisteret: oppslagstjenesten REST" and its attribute page; KS, OpenAPI
"register-krr-api-v1".
"""

from typing import NamedTuple

from dataflyt.sources import Table


class Contact(NamedTuple):
    """One person's entry in KRR. Fields have KRR's names, and the fields of ``kontaktinformasjon`` are flattened."""

    personidentifikator: str
    status: str | None
    reservasjon: str | None
    reservasjonstidspunkt: str | None
    reservasjon_oppdatert: str | None
    varslingsstatus: str | None
    epostadresse: str | None
    epostadresse_oppdatert: str | None
    epostadresse_sist_verifisert: str | None
    epostadresse_duplisert: str | None
    mobiltelefonnummer: str | None
    mobiltelefonnummer_oppdatert: str | None
    mobiltelefonnummer_sist_verifisert: str | None
    mobiltelefonnummer_duplisert: str | None
    spraak: str | None
    spraak_oppdatert: str | None


TABLES = {
    "contact": Table(
        "contact",
        Contact,
        ("personidentifikator",),
        "personidentifikator",
        hashed=("epostadresse", "mobiltelefonnummer"),
    ),
}
