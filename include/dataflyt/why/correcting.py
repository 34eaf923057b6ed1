"""Who corrects a thing, and where. Explanations and work lists name the same correctors.

Links are addresses that the registers themselves give out; a corrector without a known address has none.
"""

from dataclasses import dataclass

from dataflyt.why.texts import NB, Language, correctors


@dataclass(frozen=True)
class Corrector:
    """Somebody who corrects a thing: ``id`` for programs, the rest in words. ``link`` is "" where none is known."""

    id: str
    title: str
    where: str
    link: str = ""


_LINKS = {
    # Digdir's own profile page in production (docs.digdir.no).
    "guardian_krr": "https://minprofil.kontaktregisteret.no/",
    # Skatteetaten's pages of Folkeregisteret: foreldreansvar, names and addresses are below it.
    "guardian_freg": "https://www.skatteetaten.no/person/folkeregister/",
}


def corrector(who: str, language: Language = NB) -> Corrector:
    """Return a corrector in a language. Raises KeyError for an unknown id."""
    title, where = correctors(language)[who]
    return Corrector(who, title, where, _LINKS.get(who, ""))


CORRECTORS: dict[str, Corrector] = {who: corrector(who) for who in correctors(NB)}
"""All who correct things, by id, in Norwegian."""

OF_RULES = {
    "Folkeregisteret": "register",
    "KRR": "register",
    "HR": "hr",
    "skolen": "school_office",
    "systemansvarlig": "system_owner",
    "dataingeniør": "engineer",
}
"""The corrector's id for the word that a quality rule has for the one who is responsible."""
