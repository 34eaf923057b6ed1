"""Which parts of a person's document FREG is asked for: of pupils, of adults, of employees, and of other children."""

from dataflyt.config.kommune import Kommune

FREG_PARTS = (
    "identifikasjonsnummer",
    "status",
    "doedsfall",
    "foedsel",
    "kjoenn",
    "navn",
    "bostedsadresse",
    "deltBosted",
    "oppholdsadresse",
    "postadresse",
    "postadresseIUtlandet",
    "adressebeskyttelse",
)
"""What is asked for of everybody. ``freg_parts`` adds what only a kommune "med hjemmel" may ask for."""

RESIDENT_PARTS = ("identifikasjonsnummer", "status", "foedsel", "navn", "adressebeskyttelse")
"""What is asked for of children who live in the kommune and are not its pupils."""

EMPLOYEE_PARTS = tuple(part for part in FREG_PARTS if part not in ("foedsel", "kjoenn"))
"""What is asked for of employees. Each of their addresses may be the one that shows that they are protected."""


def freg_parts(kommune: Kommune, *, pupils: bool = True) -> tuple[str, ...]:
    """Return what FREG is asked for of a kommune's pupils, or of adults.

    False identity, foreldreansvar and familierelasjon are confidential (Skatteetaten, "taushetsbelagte opplysninger"):
    without hjemmel they are never asked for.
    """
    if kommune.legal_basis.freg != "med_hjemmel":
        return FREG_PARTS
    return (*FREG_PARTS, "falskIdentitet", *(("foreldreansvar", "familierelasjon") if pupils else ()))
