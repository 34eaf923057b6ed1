"""Unknown elements and fields of FREG's answers, reported so that a developer can look at them.

The known fields are those of Skatteetaten's OpenAPI 1.5 (2022) and of KS Fiks' OpenAPI "folkeregister-oppvekst-api-v1".
"""

import re
from collections.abc import Iterator, Mapping

from dataflyt.formats.json_values import Json
from dataflyt.sources.freg.rows import UkjentFelt

_META = ("ajourholdstidspunkt", "erGjeldende", "kilde", "aarsak", "gyldighetstidspunkt", "opphoerstidspunkt")


def _fields(names: str, *more: str) -> frozenset[str]:
    return frozenset((*names.split(), *more))


_PLACE = "adressegradering adresseIdentifikatorFraMatrikkelen naerAdresseIdentifikatorFraMatrikkelen"
_HOME = f"{_PLACE} vegadresse matrikkeladresse ukjentBosted flyttedato grunnkrets stemmekrets skolekrets kirkekrets"
_SHARED_HOME = f"{_PLACE} vegadresse matrikkeladresse ukjentBosted startdatoForKontrakt sluttdatoForKontrakt"

FIELDS: dict[str, frozenset[str]] = {
    "identifikasjonsnummer": _fields("foedselsEllerDNummer identifikatortype status", *_META),
    "status": _fields("status", *_META),
    "foedsel": _fields("foedselsdato foedselsaar foedested foedekommuneINorge foedeland", *_META),
    "kjoenn": _fields("kjoenn", *_META),
    "doedsfall": _fields("doedsdato", *_META),
    "falskIdentitet": _fields(
        "erFalsk rettIdentitetErUkjent rettIdentitetVedIdentifikasjonsnummer rettIdentitetVedOpplysninger", *_META
    ),
    "navn": _fields("fornavn mellomnavn etternavn forkortetNavn originaltNavn", *_META),
    "bostedsadresse": _fields(_HOME, *_META),
    "oppholdsadresse": _fields(
        f"{_PLACE} vegadresse matrikkeladresse utenlandskAdresse adressenErUkjent oppholdsadressedato oppholdAnnetSted",
        *_META,
    ),
    "deltBosted": _fields(_SHARED_HOME, *_META),
    "postadresse": _fields(f"{_PLACE} postboksadresse vegadresse postadresseIFrittFormat", *_META),
    "postadresseIUtlandet": _fields("adressegradering utenlandskAdresse utenlandskAdresseIFrittFormat", *_META),
    "adressebeskyttelse": _fields("graderingsnivaa", *_META),
    "foreldreansvar": _fields(
        "ansvar ansvarlig ansvarligOrganisasjon ansvarligUtenIdentifikator ansvarssubjekt "
        "ansvarssubjektUtenIdentifikator",
        *_META,
    ),
    "familierelasjon": _fields(
        "relatertPerson relatertPersonUtenFolkeregisteridentifikator relatertPersonsRolle minRolleForPerson", *_META
    ),
}
"""The fields of each element that we read, by Skatteetaten's OpenAPI 1.5 (2022). Newer fields are unknown."""

FLAT_FIELDS: dict[str, frozenset[str]] = {
    "identifikasjonsnummer": _fields("foedselsEllerDNummer identifikatortype"),
    "tidligereIdentifikasjonsnummer": _fields("foedselsEllerDNummer identifikatortype"),
    "navn": _fields("fornavn mellomnavn etternavn"),
    "bostedsadresse": _fields(_HOME),
    "oppholdsadresse": _fields(f"{_PLACE} vegadresse matrikkeladresse utenlandskAdresse"),
    "deltBosted": _fields(_SHARED_HOME),
    "postadresse": _fields(f"{_PLACE} postboksadresse vegadresseForPost frittFormat"),
    "foreldreansvarlige": _fields(
        "ansvar identifikasjonsnummer personstatus navn statsborgerskap kjoenn adressebeskyttelse bostedsadresse "
        "oppholdsadresse postadresse foedsel"
    ),
    "familierelasjoner": _fields("familierelasjonPerson familierelasjonRolle"),
}
"""The same by KS Fiks' OpenAPI "folkeregister-oppvekst-api-v1"."""

_UNREAD = _fields(
    "foedselINorge statsborgerskap bibehold sivilstand innflytting utflytting opphold oppholdPaaSvalbard "
    "identitetsgrunnlag utlendingsmyndighetenesIdentifikasjonsnummer utenlandskPersonidentifikasjon "
    "legitimasjonsdokument brukAvSamiskSpraak forholdTilSametingetsValgmanntall kontaktinformasjonForDoedsbo "
    "vergemaalEllerFremtidsfullmakt rettsligHandleevne fratattRettsligHandleevne preferertKontaktadresse "
    "dufNummer foedselsdato personstatus foreldreansvarstype"
)
"""Known elements that are not read as elements."""
KNOWN = _UNREAD | FIELDS.keys() | FLAT_FIELDS.keys()


def look_for_unknown(document: Json, fields: Mapping[str, frozenset[str]], found: set[str]) -> None:
    """Add to ``found`` each element of a document, and each field of one, that is not in ``fields``."""
    for name, value in document.items():
        known = fields.get(name)
        if known is None:
            if name not in KNOWN:
                found.add(name)
            continue
        for item in value if isinstance(value, list) else (value,):
            if isinstance(item, dict) and not item.keys() <= known:
                found.update(f"{name}.{field}" for field in item.keys() - known)


def unknown_fields(found: set[str]) -> Iterator[UkjentFelt]:
    """Yield a row for each name that was found; ``…`` replaces a name that is not a schema's, since it may be data."""
    for felt in sorted({name if re.fullmatch(r"[A-Za-zÆØÅæøå_.]{1,80}", name) else "…" for name in found}):
        yield UkjentFelt(felt)
