"""Which parts of a person's document FREG is asked for, about pupils, adults, employees and other children."""

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
"""The parts that are asked for about everybody. ``freg_parts`` adds the parts that need "hjemmel"."""

RESIDENT_PARTS = ("identifikasjonsnummer", "status", "foedsel", "navn", "adressebeskyttelse")
"""The parts that are asked for about children who live in the kommune and are not its pupils."""

SIBLING_PARTS = (
    *("identifikasjonsnummer", "status", "foedsel", "navn", "bostedsadresse", "deltBosted", "oppholdsadresse"),
    *("postadresse", "postadresseIUtlandet", "adressebeskyttelse", "foreldreansvar"),
)
"""The parts that are asked for about pupils' siblings who have left: a resident's, and what tells whom they live with.

They are known by foreldreansvar alone, so that nobody is asked about without hjemmel.
"""

EMPLOYEE_PARTS = tuple(part for part in FREG_PARTS if part not in ("foedsel", "kjoenn"))
"""The parts that are asked for about employees. Any of their addresses may be the one that shows a protection."""


def freg_parts(kommune: Kommune, *, pupils: bool = True) -> tuple[str, ...]:
    """Return the parts that FREG is asked for about a kommune's pupils, or about adults.

    False identity, foreldreansvar and familierelasjon are confidential (Skatteetaten, "taushetsbelagte opplysninger"):
    without hjemmel they are never asked for.
    """
    if kommune.legal_basis.freg != "med_hjemmel":
        return FREG_PARTS
    return (*FREG_PARTS, "falskIdentitet", *(("foreldreansvar", "familierelasjon") if pupils else ()))
