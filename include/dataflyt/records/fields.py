"""Which field is kept from which source, for which purpose, and what each export gives away: the record of processing.

The lists are held against the code: every column of every source's table has exactly one purpose here, and every field
that an export writes is in ``EXPORTED`` (``tests/records/test_fields.py``). Who adds a field says here what it is for.
"""

from collections.abc import Mapping
from typing import Final

SOURCES: Final = {
    "freg": "Folkeregisteret (Skatteetaten)",
    "krr": "Kontakt- og reservasjonsregisteret (Digitaliseringsdirektoratet)",
    "hr": "kommunens lønns- og personalsystem",
    "sas": "kommunens skoleadministrative system",
}

PURPOSES: Final = {
    "identity": "kjenne igjen personen på tvers av kildene, og skille to personer fra hverandre",
    "name": "vise riktig navn i katalogen og i skolens systemer, og lage brukernavn",
    "age": "vite når eleven fyller 15 og 18 år, og skille personer med samme navn",
    "life": "vite om personen lever, og om Folkeregisteret kjenner personen",
    "guardianship": "vite hvem som har foreldreansvar for eleven, og derfor skal ha tilgang",
    "evidence": "forklare hvorfor en voksen har eller ikke har tilgang; gir aldri tilgang selv",
    "protection": "finne og beskytte dem som har adressebeskyttelse, og dem som bor sammen med dem",
    "residence": "vite hvem som bor sammen med en beskyttet, og hvem som bor i kommunen",
    "school_age": "finne barn i skolealder som bor her og ikke går på noen av skolene",
    "contact": "nå elevens foresatte, på den måten de har valgt selv",
    "work": "vite hvem som arbeider ved en skole, hvor og i hvilken stilling, og når det begynner og slutter",
    "work_contact": "nå den ansatte på jobb",
    "enrolment": "vite hvilken skole og hvilke grupper eleven og læreren er i",
    "by_hand": "finne foresatte skolen har lagt inn for hånd, og som må ha et grunnlag",
    "accounts": "bruke brukernavnet personen har fra før",
    "organisation": "vite hvilke skoler, enheter, grupper og timer kommunen har; ikke opplysninger om personer",
    "quality": "finne feil i svarene før noe brukes",
}
"""Each purpose in Norwegian, as the record shows it."""

_LISTED: Final[Mapping[str, Mapping[str, str]]] = {
    "freg_person": {
        "identity": "foedselsEllerDNummer oppslag identifikatortype",
        "life": "status doedsdato doed falskIdentitet",
        "age": "foedselsdato foedselsaar",
        "name": "kjoenn",
    },
    "freg_ubesvart": {"quality": "oppslag feilmelding"},
    "freg_identifikasjonsnummer": {
        "identity": "foedselsEllerDNummer identifikasjonsnummer identifikatortype status",
    },
    "freg_navn": {
        "identity": "foedselsEllerDNummer",
        "name": "fornavn mellomnavn etternavn forkortetNavn erGjeldende gyldighetstidspunkt",
    },
    "freg_bostedsadresse": {
        "identity": "foedselsEllerDNummer",
        "protection": "adressegradering adressetype",
        "residence": "kommunenummer adressenavn husnummer husbokstav bruksenhetsnummer postnummer poststedsnavn "
        "coAdressenavn bolig flyttedato erGjeldende gyldighetstidspunkt",
    },
    "freg_annenAdresse": {
        "identity": "foedselsEllerDNummer",
        "protection": "element adressegradering erGjeldende gyldighetstidspunkt",
        "residence": "kommunenummer bolig",
    },
    "freg_adressebeskyttelse": {
        "identity": "foedselsEllerDNummer",
        "protection": "graderingsnivaa ukjent erGjeldende gyldighetstidspunkt",
    },
    "freg_foreldreansvar": {
        "identity": "foedselsEllerDNummer",
        "guardianship": "ansvar ansvarlig ansvarligOrganisasjon ansvarligUtenIdentifikator_fornavn "
        "ansvarligUtenIdentifikator_mellomnavn ansvarligUtenIdentifikator_etternavn "
        "ansvarligUtenIdentifikator_foedselsdato ansvarssubjekt erGjeldende gyldighetstidspunkt",
    },
    "freg_familierelasjon": {
        "identity": "foedselsEllerDNummer",
        "evidence": "relatertPerson relatertPersonUtenFolkeregisteridentifikator relatertPersonsRolle "
        "minRolleForPerson erGjeldende gyldighetstidspunkt",
    },
    "freg_resident": {
        "identity": "foedselsEllerDNummer oppslag",
        "school_age": "fornavn mellomnavn etternavn foedselsaar status",
        "protection": "graderingsnivaa",
    },
    "freg_ukjentFelt": {"quality": "felt"},
    "krr_contact": {
        "identity": "personidentifikator",
        "contact": "status reservasjon reservasjonstidspunkt reservasjon_oppdatert varslingsstatus epostadresse "
        "epostadresse_oppdatert epostadresse_sist_verifisert epostadresse_duplisert mobiltelefonnummer "
        "mobiltelefonnummer_oppdatert mobiltelefonnummer_sist_verifisert mobiltelefonnummer_duplisert spraak "
        "spraak_oppdatert",
    },
    "hr_employee": {
        "identity": "employee_id number number_kind",
        "name": "given_name family_name sex",
        "age": "birth_date",
        "work_contact": "email mobile",
        "accounts": "username",
        "work": "status date_from date_to",
    },
    "hr_employment": {
        "identity": "employee_id",
        "work": "employment_id employment_type position_code position_name percentage main_position org_unit_id "
        "workplace_id date_from date_to",
    },
    "hr_protection": {"identity": "employee_id", "protection": "protected"},
    "hr_org_unit": {"organisation": "org_unit_id name parent_id manager_ids status date_from date_to"},
    "sas_school": {"organisation": "school_id parent_id level orgnr name school_type"},
    "sas_group": {
        "organisation": "group_id school_id group_type name long_name grep_code grep_uri year_level begin_date "
        "end_date adminperiod",
    },
    "sas_person": {
        "identity": "person_id old_person_id number number_kind local_number",
        "accounts": "feide_id username",
        "name": "given_name family_name full_name sex",
        "age": "birth_date",
        "by_hand": "email mobile",
        "enrolment": "recstatus",
    },
    "sas_membership": {
        "identity": "person_id",
        "enrolment": "group_id role subrole active main begin_date end_date",
    },
    "sas_guardian": {"by_hand": "child_id guardian_id contact_type"},
    "sas_timetable": {"organisation": "group_id weekday start end room"},
}

FIELDS: Final[Mapping[str, Mapping[str, str]]] = {
    table: {column: purpose for purpose, columns in purposes.items() for column in columns.split()}
    for table, purposes in _LISTED.items()
}
"""The purpose (a key of ``PURPOSES``) of every column of every source's table."""

_PIFU: Final = {
    "sourcedid": "Dataflyts egen id for personen",
    "personNIN": "fødselsnummer eller D-nummer",
    "personLIN": "nummer kommunen har gitt den som ikke har fødselsnummer",
    "username": "brukernavnet",
    "feideID": "FEIDE-navnet",
    "fn": "navnet",
    "family": "etternavnet",
    "given": "fornavnet",
    "bday": "fødselsdatoen til elever og ansatte",
    "email": "den ansattes e-postadresse på jobb, eller den foresattes egen",
    "pifu_email": "den samme e-postadressen, med slag",
    "tel": "den foresattes mobilnummer",
    "pifu_tel": "det samme mobilnummeret, med slag",
    "pifu_hasContactPerson": "elevens foresatte som har tilgang",
    "role": "elev, lærer, kontaktlærer, skoleledelse, administrator, assistent eller annen ansatt, ved skolen og i "
    "gruppene, fra og til; også hva slags, når det er kjent: vikar, rektor, rådgiver og andre av PIFUs underroller",
}
_PIFU_1_2: Final = {field: what for field, what in _PIFU.items() if field != "feideID"}
_PIFU_1_1: Final = {field: what for field, what in _PIFU_1_2.items() if field != "personLIN"}

_GUARDIANS: Final[Mapping[str, str]] = {
    "child": "eleven: Dataflyts egen id, fødselsnummer eller D-nummer, nummer kommunen har gitt",
    "guardian": "den foresatte som har tilgang: Dataflyts egen id, fødselsnummer eller D-nummer, navnet",
    "email": "den foresattes e-postadresse, når kommunefilen sier det",
    "mobile": "den foresattes mobilnummer, når kommunefilen sier det",
    "basis": "om tilgangen er etter foreldreansvar, samtykke eller vedtak",
    "envelope": "om den foresatte kan få vanlige meldinger og formelle varsler, og hvorfor ikke",
}
EXPORTED: Final[Mapping[str, Mapping[str, str]]] = {
    "feide_ldif": {
        "uid": "brukernavnet",
        "eduPersonPrincipalName": "FEIDE-navnet",
        "norEduPersonNIN": "fødselsnummer eller D-nummer",
        "norEduPersonLIN": "nummer kommunen har gitt den som ikke har fødselsnummer",
        "cn": "navnet",
        "sn": "etternavnet",
        "givenName": "fornavnet",
        "displayName": "navnet som vises",
        "norEduPersonLegalName": "navnet i Folkeregisteret",
        "norEduPersonBirthDate": "fødselsdatoen",
        "mail": "den ansattes e-postadresse på jobb",
        "mobile": "mobilnummer",
        "eduPersonAffiliation": "om personen er elev eller ansatt",
        "eduPersonScopedAffiliation": "om personen er elev eller ansatt, med kommunens domene",
        "eduPersonPrimaryAffiliation": "hva personen først og fremst er",
        "eduPersonEntitlement": "trinn, klasse og faggrupper",
        "eduPersonOrgDN": "kommunen",
        "eduPersonOrgUnitDN": "skolene",
        "eduPersonPrimaryOrgUnitDN": "hovedskolen",
    },
    "pifu": _PIFU,
    "pifu_1_2": _PIFU_1_2,
    "pifu_1_1": _PIFU_1_1,
    "guardians": _GUARDIANS,
    "guardians_csv": _GUARDIANS,
    "class_list": {
        "Skoleår": "skoleåret",
        "Trinn": "elevens trinn ved skolen",
        "Gruppetype": "Klasse",
        "Fornavn": "fornavnet",
        "Etternavn": "etternavnet",
        "Gruppe": "klassen",
        "Skole": "skolen",
    },
    "calendar": {
        "gruppe": "gruppens id og navn; ingen person er nevnt",
        "SUMMARY": "gruppens navn",
        "DTSTART, DTEND, RRULE": "når gruppen har time",
        "LOCATION": "rommet",
    },
    "oneroster": {
        "sourcedId": "Dataflyts egen id for personen",
        "enabledUser": "om personen kan logge inn",
        "username": "brukernavnet, eller id-en til den som ikke har noe",
        "userIds": "FEIDE-navnet",
        "givenName": "fornavnet",
        "familyName": "etternavnet",
        "primaryOrgSourcedId": "hovedskolen",
        "roles": "elev, lærer, rektor, rådgiver eller annen ansatt, ved hvilken skole, fra og til",
        "userProfiles": "FEIDE-navnet",
        "enrollments": "klasser og faggrupper, og rollen i dem",
        "identifier": "fødselsnummer, D-nummer eller kommunens eget nummer, når kommunefilen sier det",
        "birthDate": "fødselsdatoen til elever og ansatte, når kommunefilen sier det",
        "email": "den ansattes e-postadresse på jobb, eller den foresattes egen, når kommunefilen sier det",
        "sms": "den foresattes mobilnummer, når kommunefilen sier det",
        "agentSourcedIds": "elevens foresatte som har tilgang, når kommunefilen sier det",
    },
    "sds": {
        "sourcedId": "Dataflyts egen id for personen",
        "username": "FEIDE-navnet, eller e-postadressen til en foresatt",
        "givenName": "fornavnet",
        "familyName": "etternavnet",
        "roles": "elev, lærer eller annen ansatt, ved hvilken skole, fra og til",
        "enrollments": "klasser og faggrupper, og rollen i dem",
        "birthDate": "fødselsdatoen til elever og ansatte, når kommunefilen sier det",
        "email": "den ansattes e-postadresse på jobb, eller den foresattes egen, når kommunefilen sier det",
        "sms": "den foresattes mobilnummer, når kommunefilen sier det",
        "relationships": "elevens foresatte som har tilgang og e-postadresse, når kommunefilen sier det",
    },
}
"""The fields of a person that each export writes: the format's own name, and what it is."""

RECIPIENTS: Final = {
    "feide_ldif": ("Kommunens katalog, og gjennom den Feide (Sikt) og tjenestene kommunen har slått på der",),
    "pifu": ("Systemene kommunen har koblet til PIFU-filen",),
    "pifu_1_2": ("Systemene kommunen har koblet til PIFU-filen",),
    "pifu_1_1": ("Systemene kommunen har koblet til PIFU-filen",),
    "guardians": ("Det skoleadministrative systemet",),
    "guardians_csv": ("Det skoleadministrative systemet",),
    "oneroster": ("Læringsplattformer og læremidler som leser OneRoster",),
    "sds": ("Microsoft 365 (School Data Sync), og gjennom den Teams og det andre kommunen har der",),
    "calendar": ("Elever, foresatte og ansatte som skolen gir lenken til gruppens kalender",),
    "class_list": ("Skolene, hver sin egen liste, og dem i kommunen som trenger hele listen",),
}
"""Who receives each export, where the kommune's file does not say it (``recipients``)."""

KEPT_FOR: Final = {
    "Det som ble hentet (landing)": "14 døgn; registrenes svar slettes når kjøringen er gjort opp",
    "Mellomlager (staging)": "til kjøringen er frigitt eller angret, ryddet hver natt",
    "Historikk og samlet register": "så lenge personen er elev, ansatt eller foresatt, eller bor med et søsken "
    "som er elev, og {days} døgn etter",
    "Rader i karantene": "{days} døgn etter kjøringen",
    "Kontaktopplysninger i klartekst": "bare de nyeste, så lenge personen er foresatt til en elev",
    "Eksportfiler på disk": "de siste ti utgavene, høyst {days} døgn; straks borte når noen skal skjules, "
    "og filene om foresatte når en tilgang har tatt slutt",
    "Hvem som var i hvilken fil": "fem år; når personen er slettet, bare under en nøkkelhash",
    "Vedtak (sperring, tilgang, samtykke, overstyring)": "fem år etter at de er avsluttet",
    "Innsynslogg": "fem år",
    "Det som beskytter (vetoer)": "uten navn, til det er hevet",
    "Brukernavn som har vært gitt": "som nøkkelhash uten navn, så ingen andre får det samme",
    "Sikkerhetskopier": "etter kommunens egen rutine; den som er slettet, slettes igjen natten etter en gjenoppretting",
}
"""What is kept for how long, in Norwegian. ``{days}`` is ``retention.history_days`` of the kommune's file."""

MEASURES: Final = (
    "Hver kommune har sin egen databaserolle, og databasen viser rollen bare kommunens egne rader.",
    "Den som er fortrolig eller strengt fortrolig, vises, telles og finnes ikke uten en egen rett.",
    "Det som beskytter, gjelder straks for alt som leses og publiseres, og heves bare av folk eller godkjent kjøring.",
    "Ingen får tilgang til et barn uten foreldreansvar i Folkeregisteret eller et vedtak av to personer.",
    "En kjøring som endrer uventet mye, venter på en navngitt godkjenner.",
    "Hvert oppslag på en person føres, med hvem, når og hvorfor; loggen kan ikke endres.",
    "E-post og mobil fra Kontaktregisteret står i klartekst bare i nyeste utgave; historikken har nøkkelhash.",
    "Filer med personer kan bare leses av brukeren Dataflyt kjører som, og av gruppen som skal lese eksportene.",
    "Logger, varsler og Airflow har ingen navn, numre, adresser eller e-postadresser.",
    "Det som har hatt sin tid, slettes hver natt.",
)
"""The measures of GDPR art. 32, in Norwegian."""
