"""The seed's own calls, in its words: the right answer to each, who corrects it, when it shows, the caller's text.

One kommune through three runs: as it is, after a week of changes, and after «far byttes ut med ny mann».
"""

from datetime import date

import pytest

from dataflyt.decisions import deciding
from dataflyt.decisions.override import Override
from dataflyt.errors import ConfigError
from dataflyt.warehouse.audit import Visitor
from dataflyt.warehouse.people import NotFound
from dataflyt.why.answering import why
from dataflyt.why.check import Answer
from simulator.model import Person, Responsibility
from tests.installation.fixtures import LOOKING, Installation
from tests.warehouse.test_rules import _link

OTHER = Visitor("111", "Bjarne Høvik", "test", "test")
NO_CHILDREN = (
    "Vi klarte ikke å finne noen barn knyttet til deg. Vennligst ta kontakt med den barnehagen eller skolen barnet "
    "ditt tilhører. Dersom barnet ditt ikke har en plass i barnehage eller skole, ta kontakt med kommunen."
)
"""The seed's screen."""


def ask(here: Installation, question: str, who: str, child: str | None = None, **more: object) -> Answer:
    return why(here.kommune, here.environment, question, LOOKING, who=who, child=child, **more)  # type: ignore[arg-type]


def cause(answer: Answer) -> tuple[str, str]:
    """Return the cause that an answer names, and who corrects it."""
    return "+".join(answer.verdict.causes), answer.verdict.corrector.id if answer.verdict.corrector else ""


@pytest.mark.long
@pytest.mark.after_first_run
def test_the_calls_of_the_seed(installation: Installation) -> None:
    here, world = installation, installation.registers.world
    pupil = next(one for one in world.pupils if "seed_baug" in one.cases)
    baug = pupil.person
    assert baug
    father, mother, new_man = (here.registers.person(case) for case in ("seed_father", "seed_mother", "stepfather"))
    him, the_new = (f"{one.given} {one.family} {one.born}" for one in (father, new_man))
    lilly, felicia = (next(one for one in world.employees if one.person.given == name) for name in ("Lilly", "Felicia"))

    # «Jeg ser ingenting i Vigilo, jeg!!» – but everything is in order at Skåredalen skole.
    seen = ask(here, "access", father.number, baug.number)
    assert seen.verdict.status == "fine"
    assert seen.about == ("Bård Øyvind Leite", "Konkurransedyktig Baug")
    assert "Eleven går ved Skåredalen skole." in [step.sentence for step in seen.steps]
    assert [(step.source, step.run, step.day, step.value) for step in seen.steps if step.check == "responsible"] == [
        ("Folkeregisteret", 1, date(2026, 11, 23), "felles")
    ]
    assert "Vi finner ingen feil hos oss" in seen.caller

    # «Jeg er stefar til Konkurransedyktig Baug! Kan jeg også få tilgang til Vigilo?» – «Hva sier DIN kommune?»
    wish = ask(here, "stepfather", new_man.number, baug.number)
    assert cause(wish) == ("consent_not_used", "system_owner")
    assert "alle som har foreldreansvar, har samtykket" in wish.caller
    stranger = ask(here, "access", new_man.number, baug.number)
    assert stranger.caller.startswith(NO_CHILDREN)
    assert stranger.verdict.sentence.endswith(
        "Dataflyt finner ikke den voksne. Sjekk nummeret, eller navnet og fødselsdatoen."
    )
    here.kommune = here.kommune.model_copy(update={"consent": True})
    assert cause(ask(here, "stepfather", new_man.number, baug.number)) == ("adult_not_registered", "school_office")

    # «Men jeg får ikke brukt digitale læremidler!» «Det får heller ikke Konkurransedyktig Baug ...»
    books = ask(here, "resources", baug.number)
    assert cause(books) == ("group_without_timetable", "school_leader")
    assert books.verdict.when == "Når det er rettet, vises det ved neste kjøring, søndag 29. november kl. 03.00."
    for part in ("Skolens leder", "timeplan", "søndag 29. november kl. 03.00"):
        assert part in books.caller
    assert "kjøring" not in books.caller, "a caller knows of no runs"
    assert "ENG0030 på 6. trinn" in books.verdict.sentence

    # «Ja, men jeg har jo fått ny e-post!» «Du må endre KRR!»
    mail = ask(here, "field", father.number, word="e-post")
    assert cause(mail) == ("field_of_krr", "guardian_krr")
    assert mail.verdict.corrector
    assert mail.verdict.corrector.link == "https://minprofil.kontaktregisteret.no/"
    assert "minprofil.kontaktregisteret.no" in mail.caller
    assert cause(ask(here, "field", lilly.person.number, word="e-post")) == ("field_of_hr", "hr")
    # Every field that is locked on the seed's pages, by the words that stand there.
    words = "Fornavn Etternavn Fødselsnummer Fødselsdato Kjønn Bostedsadresse Poststed Postnummer Landskode Foreldre"
    owners = dict.fromkeys(words.split(), ("field_of_freg", "guardian_freg")) | dict.fromkeys(
        ("Klasse", "Enhet", "Kontaktlærer", "Timeplan"), ("field_of_sas", "school_office")
    )
    assert {word: cause(ask(here, "field", baug.number, word=word)) for word in owners} == owners
    for word in ("Ansatt e-post", "Privat telefonnummer", "Stilling"):
        assert cause(ask(here, "field", lilly.person.number, word=word)) == ("field_of_hr", "hr")
    with pytest.raises(ConfigError, match="kjenner ikke feltet «brillestyrke»: skriv adresse, "):
        ask(here, "field", father.number, word="brillestyrke")
    for unread in ("Bård Øyvind Leite", "Bård Øyvind Leite 16.3.81", "16. mars 1981 Bård Øyvind Leite", "B Ø"):
        with pytest.raises(NotFound, match="navn og fødselsdato"):
            ask(here, "access", unread, baug.number)

    # «Sannhet med modifikasjoner: systemansvarlig kan gjøre grep.»
    name = ask(here, "field", baug.number, word="fornavn")
    assert cause(name) == ("field_of_freg", "guardian_freg")
    assert "Systemansvarlig kan i spesielle tilfeller overstyre det" in name.verdict.sentence
    override = Override(
        person=_link(here, baug.number), field="fornavn", value="Rolig", reason="Nytt navn", case_number="2026/1"
    )
    proposal = deciding.decide(here.kommune, here.environment, override, LOOKING).proposal
    assert proposal
    deciding.answer(here.kommune, here.environment, proposal, "confirmed", OTHER)

    # A week goes by. Lilly Lektor has no e-mail in HR, Felicia has lost her groups, the father's details have expired.
    lilly.email = None
    sas_id = felicia.sas.person_id if felicia.sas else ""
    for group in world.groups:
        group.members[:] = [member for member in group.members if member.person_id != sas_id]
    _expire(father)
    world.maker.sas_guardian(pupil, new_man)  # type: ignore[attr-defined]
    here.registers.write()
    here.run()

    # Red and green envelopes.
    red = ask(here, "envelope", father.number)
    assert cause(red) == ("krr_expired", "guardian_krr")
    assert "eForvaltningsforskriften § 32" in red.verdict.sentence
    assert ask(here, "envelope", mother.number).verdict.status == "fine"
    assert red.caller == ask(here, "envelope", mother.number).caller  # nobody is told what is known of whom

    # Lilly Lektor: «Jeg sjekker i HR!» And the teacher's missing group.
    assert cause(ask(here, "teacher", lilly.person.number)) == ("without_work_email", "hr")
    assert "HR som må rette" in ask(here, "teacher", lilly.person.number).caller
    assert cause(ask(here, "teacher", felicia.person.number)) == ("teacher_without_group", "school_leader")

    # The override holds, and the stepfather is known: everybody with foreldreansvar must consent.
    assert cause(ask(here, "field", baug.number, word="fornavn")) == ("field_overridden", "system_owner")
    wish = ask(here, "stepfather", the_new, baug.number)  # by name: the school system alone has it
    assert wish.about == ("Snill Stefar", "Rolig Baug")
    assert cause(wish) == ("consents_missing", "system_owner")
    assert "Anita Skoleleder, Bård Øyvind Leite" in wish.verdict.sentence
    assert "Leite" not in wish.caller

    # «Far byttes ut med ny mann ...» «Hei! Jeg har ikke tilgang lenger!»
    baug.responsibility[:] = [Responsibility("felles", mother.number), Responsibility("felles", new_man.number)]
    baug.since["foreldreansvar"] = date(2026, 11, 24)
    here.run()
    assert ask(here, "access", new_man.number, baug.number).verdict.status == "fine"
    assert ask(here, "stepfather", the_new, baug.number).verdict.sentence.startswith(
        "Den voksne har tilgang til barnet."
    )
    # He has no access to anybody now, and is found by his name all the same.
    gone = ask(here, "access", him, baug.number)
    assert gone.about == ("Bård Øyvind Leite", "Rolig Baug")
    assert cause(gone) == ("foreldreansvar_ended", "guardian_freg")
    assert gone.caller.startswith(NO_CHILDREN)
    assert "rett til å be skolen om opplysninger om barnet (barnelova § 47)" in gone.caller
    assert "Leite" not in gone.caller
    line = [step.sentence for step in ask(here, "changed", him, baug.number).steps if step.check == "timeline"]
    assert line[0] == "Fra 23.11.2026 til 25.11.2026 (kjøring 1 til 3): tilgang ved foreldreansvar felles."
    assert any("tatt bort straks" in one for one in line)
    assert any("gyldig fra 24.11.2026" in one and "kjøring 3" in one for one in line)

    # In English on request, and all of it as JSON.
    english = ask(here, "access", father.number, baug.number, language="en")
    assert cause(english) == cause(gone)
    assert english.caller.startswith("We could not find any children connected to you.")
    assert english.in_json()["verdict"]["corrector"]["id"] == "guardian_freg"


@pytest.mark.after_first_run
def test_the_school_is_to_enter_a_guardian_who_has_access_and_is_not_on_the_pupil(installation: Installation) -> None:
    """«Far mangler i Vigilo»: FREG has him, the file has him, and the school system's next file still does not."""
    here = installation
    father = here.registers.person("right_missing_in_sas")
    child = next(number for number, _, ansvar in father.children if ansvar)
    baug = next(one.person.number for one in here.registers.world.pupils if "seed_baug" in one.cases and one.person)
    first = ask(here, "access", father.number, child)
    assert first.verdict.causes == ()  # the school system has not had the file yet
    assert "in_school_system" not in {step.check for step in first.steps}

    here.registers.write()
    here.run()
    later = ask(here, "access", father.number, child)
    assert cause(later) == ("guardian_not_in_school_file", "school_office")
    assert later.verdict.when == "Når det er rettet, vises det i skolesystemet."
    assert "Be skolens kontor sjekke at du står på barnet i skolesystemet" in later.caller
    assert ask(here, "access", here.registers.person("seed_father").number, baug).verdict.status == "fine"


def _expire(person: Person) -> None:
    assert person.contact
    old = date(2023, 5, 1)
    person.contact.epost_oppdatert = person.contact.epost_verifisert = old
    person.contact.mobil_oppdatert = person.contact.mobil_verifisert = old
