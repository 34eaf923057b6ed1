"""Who corrects a thing, and where. Explanations and work lists name the same correctors.

Links are addresses that the registers themselves give out; a corrector without a known address has none.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Corrector:
    """Somebody who corrects a thing: ``id`` for programs, the rest in Norwegian. ``link`` is "" where none is known."""

    id: str
    title: str
    where: str
    link: str = ""


_ALL = (
    Corrector("guardian_freg", "Den foresatte, hos Folkeregisteret", "Folkeregisteret, hos Skatteetaten"),
    Corrector(
        "guardian_krr",
        "Den foresatte, i Kontakt- og reservasjonsregisteret",
        "Kontakt- og reservasjonsregisteret, med elektronisk ID",
        # Digdir's own profile page in production.
        "https://minprofil.kontaktregisteret.no/",
    ),
    Corrector("hr", "Lønn og personal (HR)", "Lønns- og personalsystemet"),
    Corrector("school_leader", "Skolens leder", "Timeplanen og faggruppene i skolesystemet"),
    Corrector("school_office", "Skolens kontor", "Skolesystemet"),
    Corrector("system_owner", "Systemansvarlig i kommunen", "Dataflyt"),
    Corrector("vendor", "Leverandøren av kildesystemet", "Leveransen av filen eller svaret"),
    Corrector("register", "Registeret selv", "Registerets drift; systemansvarlig melder fra"),
    Corrector("person", "Personen selv", "Skolen"),
    Corrector("nobody", "Ingen: det er riktig slik", ""),
)

CORRECTORS: dict[str, Corrector] = {one.id: one for one in _ALL}
"""All who correct things, by id."""
