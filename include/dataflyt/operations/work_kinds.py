"""The kinds of items on a work list, as data: what each is called, who corrects it, and what that person does.

A kind is a line in ``KINDS`` and a statement that finds its items: of a run in ``sql/golden/work_item.sql``, as of now
in ``sql/work_list/``. The order of ``KINDS`` is the order of the list, the gravest first.
"""

from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from dataflyt.why.correcting import CORRECTORS

About: TypeAlias = Literal["person", "group", "school", "source", "row"]


@dataclass(frozen=True)
class Kind:
    """A kind of items: a Norwegian ``title`` and ``todo`` (one sentence), and the ``owner``, a corrector's id.

    ``about`` is what an item's subject is: a person, a group, a school, a source, or a row in quarantine. ``graded``:
    only those who may see protection are shown such items. ``while_made``: it is no item while the schools are making
    new classes, subject groups and timetables.
    """

    title: str
    owner: str
    todo: str
    about: About = "person"
    graded: bool = False
    while_made: bool = False


KINDS: Final[dict[str, Kind]] = {
    "sas_guardian_without_basis": Kind(
        "Foresatte lagt inn for hånd uten grunnlag",
        "school_office",
        "Ta bort den voksne i skolesystemet, eller be systemansvarlig registrere grunnlaget for tilgangen.",
    ),
    "sas_guardian_missing": Kind(
        "Foresatte med rett som mangler i skolesystemet",
        "school_office",
        "Legg inn den foresatte på eleven i skolesystemet.",
    ),
    "responsible_not_named": Kind(
        "Barn der Folkeregisteret ikke sier hvem som har foreldreansvar",
        "guardian_freg",
        "Be den foresatte få foreldreansvaret registrert hos Folkeregisteret.",
    ),
    "pupil_without_guardian": Kind(
        "Elever uten en foresatt med tilgang",
        "school_office",
        "Finn ut hvem som har foreldreansvar, og be systemansvarlig registrere tilgangen til Folkeregisteret har den.",
    ),
    "responsible_unanswered": Kind(
        "Foresatte som Folkeregisteret ikke har svart om",
        "system_owner",
        "Vent på neste kjøring, og meld fra til Folkeregisteret om den foresatte fortsatt ikke er med i svaret.",
    ),
    "event_unanswered": Kind(
        "Folk som Folkeregisteret har meldt hendelser på, og ikke svarer om",
        "system_owner",
        "Meld fra til Folkeregisteret om svaret ikke er kommet i løpet av noen døgn.",
    ),
    "suspension_to_decide": Kind(
        "Voksne med stanset tilgang til et beskyttet barn: bestem om hver av dem",
        "system_owner",
        "Bestem om tilgangen skal holdes stanset eller gis tilbake: dataflyt block list viser dem.",
        graded=True,
    ),
    "suspension_review_due": Kind(
        "Stansede tilganger som skal vurderes på nytt",
        "system_owner",
        "Vurder på nytt om tilgangen skal være stanset, og sett en ny dato.",
        graded=True,
    ),
    "held_back_review_due": Kind(
        "Personer som holdes tilbake, og skal vurderes på nytt",
        "system_owner",
        "Vurder på nytt om personen skal holdes tilbake, og sett en ny dato.",
        graded=True,
    ),
    "identity_to_decide": Kind(
        "Skjermede eller sperrede som er blitt én eller flere personer",
        "system_owner",
        "Se om det er samme person, og bestem hvem beskyttelsen gjelder.",
        graded=True,
    ),
    "group_name_tells": Kind(
        "Grupper med navnet til en som er skjermet",
        "school_office",
        "Gi gruppen et navn uten personnavn i skolesystemet.",
        "group",
        graded=True,
    ),
    "alias_review_due": Kind(
        "Alias som skal vurderes på nytt",
        "system_owner",
        "Vurder på nytt om personen skal ha alias, og sett en ny dato.",
        graded=True,
    ),
    "pupil_held_back": Kind(
        "Elever som holdes tilbake: Folkeregisteret har ikke svart, eller noen har bestemt det",
        "system_owner",
        "Se at fødselsnummeret i skolesystemet er riktig, eller bestem om eleven kan publiseres.",
        graded=True,
    ),
    "block_review_due": Kind(
        "Sperringer som skal vurderes på nytt",
        "system_owner",
        "Vurder på nytt om sperringen skal stå, og sett en ny dato.",
    ),
    "override_review_due": Kind(
        "Overstyringer som skal vurderes på nytt",
        "system_owner",
        "Vurder på nytt om overstyringen skal stå, og sett en ny dato.",
    ),
    "pupil_with_miswritten_number": Kind(
        "Elever med feil i fødselsnummeret: holdes tilbake til skolen har rettet det",
        "school_office",
        "Rett fødselsnummeret i skolesystemet.",
    ),
    "pupil_without_number": Kind(
        "Elever uten fødselsnummer: holdes tilbake til det kommer, eller noen har bestemt",
        "school_office",
        "Legg inn fødselsnummeret i skolesystemet, eller be systemansvarlig bestemme om eleven kan publiseres.",
    ),
    "pupil_with_provisional_number": Kind(
        "Elever med midlertidig nummer: holdes tilbake til fødselsnummeret kommer, eller noen har bestemt",
        "school_office",
        "Legg inn fødselsnummeret når det kommer, eller be systemansvarlig bestemme om eleven kan publiseres.",
    ),
    "pupil_with_duf_number": Kind(
        "Elever med DUF-nummer: holdes tilbake til fødselsnummeret kommer, eller noen har bestemt",
        "school_office",
        "Legg inn fødselsnummeret når det kommer, eller be systemansvarlig bestemme om eleven kan publiseres.",
    ),
    "pupil_with_encrypted_number": Kind(
        "Elever med kryptert nummer: holdes tilbake til leverandøren sender det ukryptert",
        "vendor",
        "Bestill en fil med fødselsnumre i klartekst fra leverandøren av skolesystemet.",
    ),
    "file_same": Kind(
        "Filer som er de samme som sist: systemet har ikke levert nye",
        "vendor",
        "Be leverandøren levere en ny fil, eller se at eksporten i kildesystemet går.",
        "source",
    ),
    "set_aside": Kind(
        "Rader i karantene",
        "system_owner",
        "Rett raden der den er registrert: siden Kvalitet og dataflyt quality rows sier hvorfor den er i karantene.",
        "row",
    ),
    "resident_not_enrolled": Kind(
        "Barn i skolealder som bor her og ikke går på en av skolene",
        "school_office",
        "Finn ut hvor barnet går på skole, og skriv det inn om det skal gå her.",
    ),
    "two_in_sas": Kind(
        "Folk med to brukere i skolesystemet",
        "school_office",
        "Slå sammen de to brukerne i skolesystemet.",
    ),
    "two_in_hr": Kind(
        "Folk med to ansattnumre i HR",
        "hr",
        "Avslutt det ene ansattnummeret, eller slå dem sammen.",
    ),
    "two_in_directory": Kind(
        "Folk med to kontoer i katalogen som er importert",
        "system_owner",
        "Bestem hvilken konto personen skal beholde, og importer katalogen på nytt.",
    ),
    "account_not_named": Kind(
        "Elever og ansatte uten brukernavn",
        "system_owner",
        "Gi personen et brukernavn i BAS, eller rett katalogen som er importert.",
    ),
    "number_differs": Kind(
        "Folk med et annet fødselsnummer i skolesystemet enn i Folkeregisteret",
        "school_office",
        "Rett fødselsnummeret i skolesystemet til det som gjelder i Folkeregisteret.",
    ),
    "name_differs": Kind(
        "Folk med et annet navn i skolesystemet enn i Folkeregisteret",
        "school_office",
        "Rett navnet i skolesystemet, eller be den det gjelder melde navnet til Folkeregisteret.",
    ),
    "employee_without_school": Kind(
        "Ansatte i skolesystemet uten stilling ved en skole i HR",
        "hr",
        "Før opp stillingen ved skolen i HR, eller be skolen avslutte den som har sluttet.",
    ),
    "user_disabled": Kind(
        "Elever og ansatte som er slått av i skolesystemet, og står i filen",
        "school_office",
        "Slå på brukeren i skolesystemet, eller avslutt den som har sluttet.",
    ),
    "pupil_without_class": Kind(
        "Elever uten klasse", "school_office", "Legg eleven i en klasse i skolesystemet.", while_made=True
    ),
    "pupils_without_year_level": Kind(
        "Skoler med elever uten trinn i FEIDE: læremidler for trinnet åpner seg ikke for dem",
        "school_office",
        "Gi klassen trinn i skolesystemet, eller legg eleven i en klasse, med mindre eleven er voksen.",
        "school",
        while_made=True,
    ),
    "teachers_without_group": Kind(
        "Skoler med lærere som ikke har en gruppe i FEIDE: de ser ikke elevene i læremidlene",
        "school_leader",
        "Knytt læreren til klassen eller undervisningsgruppen i skolesystemet, og gi gruppen fagkode.",
        "school",
        while_made=True,
    ),
    "guardian_not_reached": Kind(
        "Foresatte uten oppdatert e-post eller mobil i kontaktregisteret: formelle varsler når dem ikke",
        "guardian_krr",
        "Be den foresatte oppdatere e-post og mobil i Kontakt- og reservasjonsregisteret.",
    ),
    "guardian_without_number": Kind(
        "Foresatte uten fødselsnummer: de kan ikke logge inn",
        "school_office",
        "Nå den foresatte på en annen måte, som brev eller telefon.",
    ),
    "consent_ends_soon": Kind(
        "Samtykker som snart går ut",
        "system_owner",
        "Innhent samtykket på nytt om den voksne fortsatt skal ha tilgang.",
    ),
    "grant_ends_soon": Kind(
        "Tilganger som snart går ut",
        "system_owner",
        "Registrer et nytt vedtak om den voksne fortsatt skal ha tilgang.",
    ),
    "override_review_soon": Kind(
        "Overstyringer som snart skal vurderes på nytt",
        "system_owner",
        "Finn ut om overstyringen skal stå, før dagen kommer.",
    ),
    "by_hand_ends_soon": Kind(
        "Folk registrert for hånd som snart går ut",
        "system_owner",
        "Registrer personen på nytt om hen fortsatt skal ha konto.",
    ),
    "group_without_grep": Kind(
        "Undervisningsgrupper uten fagkode",
        "school_leader",
        "Gi gruppen en fagkode i skolesystemet.",
        "group",
        while_made=True,
    ),
    "group_not_in_grep": Kind(
        "Grupper med en fagkode som ikke finnes i Grep",
        "school_leader",
        "Gi gruppen en fagkode som gjelder i Grep.",
        "group",
    ),
    "group_without_timetable": Kind(
        "Undervisningsgrupper uten timeplan",
        "school_leader",
        "Legg gruppen i timeplanen.",
        "group",
        while_made=True,
    ),
    "orgnr_of_two_schools": Kind(
        "Skoler med samme organisasjonsnummer: de er én skole i eksportene",
        "system_owner",
        "Rett organisasjonsnummeret til den ene skolen i skolesystemet.",
        "school",
    ),
    "no_mail_in_feide": Kind(
        "Kommunen og skolene har ikke e-postadresse i FEIDE",
        "system_owner",
        "Skriv adressen under feide i kommunefilen: mail.",
        "school",
    ),
    "school_not_in_nsr": Kind(
        "Skoler som ikke finnes i Nasjonalt skoleregister",
        "system_owner",
        "Rett skolens organisasjonsnummer i skolesystemet, eller meld skolen til Nasjonalt skoleregister.",
        "school",
    ),
}
"""Each kind by its name in the warehouse, in the order of the list."""

RESPONSIBLE: Final = {
    "skolen": "school_office",
    "HR": "hr",
    "systemansvarlig": "system_owner",
    "dataingeniør": "system_owner",
    "Folkeregisteret": "register",
}
"""The corrector that a quality rule's ``responsible`` is."""

TOLD_AS: Final = {"guardian_withheld": "guardian_not_reached", "guardians_hidden": "pupil_without_guardian"}
"""What the exports tell alike: findings that are no items, and the kind that they are to a visitor without ``graded``.

A guardian whose contact details are withheld has none in the exports, and a pupil whose guardians are all in no export
has none there. If the list had no item about them, the two read together would tell of a protected person.
"""


def corrected_by(kind: str) -> str:
    """Return in Norwegian who corrects the items of a kind; a row in quarantine has the one that its rule names."""
    return "Den regelen sier" if kind == "set_aside" else CORRECTORS[KINDS[kind].owner].title
