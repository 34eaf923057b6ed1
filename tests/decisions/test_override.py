"""Overrides: two people and the next run for what gives, one person and at once for what protects."""

import re
from base64 import b64decode
from datetime import date
from uuid import UUID

import psycopg
import pytest

from dataflyt.decisions import deciding, people_lists
from dataflyt.decisions.decision import Decision, NotAllowed
from dataflyt.decisions.override import EndOverride, Override, RaiseProtection
from dataflyt.run.republish import republish
from tests.decisions.test_block import ANITA, BJORN, decided  # noqa: F401
from tests.installation.fixtures import Installation

REASON = {"reason": "Eleven har bedt om det", "case_number": "2026/12"}


def confirmed(here: Installation, decision: Decision) -> int:
    """Propose as Anita and confirm as Bjørn, or decide at once."""
    made = deciding.decide(here.kommune, here.environment, decision, ANITA)
    if made.proposal is not None:
        made = deciding.answer(here.kommune, here.environment, made.proposal, "confirmed", BJORN)
    assert made.number is not None
    return made.number


def holders(here: Installation, kind: str, count: int) -> list[tuple[UUID, str]]:
    """Return ordinary people with an account: ids and user names."""
    return here.query(
        "select a.person_id, a.uid from golden.account a "
        "join golden.person p on p.owner = a.owner and p.person_id = a.person_id and p.to_run is null "
        "join golden.protection x on x.owner = a.owner and x.person_id = a.person_id and x.to_run is null "
        "where a.to_run is null and a.state = 'active' and a.role = :kind and x.level = 0 and not x.held_back "
        "and p.mellomnavn is null and p.kjoenn = 'kvinne' order by a.uid limit :count",
        kind=kind,
        count=count,
    )


def entry(ldif: str, uid: str) -> dict[str, list[str]]:
    """Return the attributes of a person in the directory, {} for nobody."""
    unfolded = ldif.replace("\n ", "")
    found = re.search(rf"^dn: uid={uid},.*?(?=\n\n|\Z)", unfolded, re.MULTILINE | re.DOTALL)
    values: dict[str, list[str]] = {}
    for line in found[0].splitlines() if found else []:
        name, _, value = line.partition(": ")
        if name.endswith(":"):  # RFC 2849: letters beyond ASCII are in base64
            name, value = name[:-1], b64decode(value).decode()
        values.setdefault(name, []).append(value)
    return values


@pytest.mark.long
@pytest.mark.after_first_run
def test_overrides_hold_from_the_next_run_and_the_registers_values_stay_beside(
    decided: Installation,  # noqa: F811
) -> None:
    kommune, environment = decided.kommune, decided.environment
    (renamed, uid), (shown, other_uid), (kept, kept_uid) = holders(decided, "pupil", 3)
    ((employee, _),) = holders(decided, "employee", 1)
    ((registered,),) = decided.query(
        "select fornavn from golden.person where person_id = :p and to_run is null", p=renamed
    )
    units = decided.query("select unit_id from golden.employment where person_id = :p and to_run is null", p=employee)
    ((school,),) = decided.query(
        "select min(unit_id) from golden.unit where kind = 'school' and to_run is null and unit_id <> all(:mine)",
        mine=[unit for (unit,) in units],
    )
    before = decided.ldif()
    numbers: list[int] = []
    for person, field, value in (
        (renamed, "fornavn", "Qvirin"),
        (renamed, "kjoenn", "mann"),
        (renamed, "user_name", "renew"),
        (shown, "display_name", "Zorro Visningsnavn"),
        (kept, "fornavn", "Xerxes"),
        (employee, "school_unit", school),
    ):
        number = confirmed(decided, Override(person=person, field=field, value=value, **REASON))
        numbers.append(number)
    again = Override(person=renamed, field="fornavn", value="Annen", **REASON)
    with pytest.raises(NotAllowed, match=f"Overstyring {numbers[0]} av samme felt gjelder fra før"):
        deciding.decide(kommune, environment, again, BJORN)
    proposed = deciding.decide(kommune, environment, again.model_copy(update={"field": "etternavn"}), ANITA)
    with pytest.raises(NotAllowed, match="eget forslag"):
        deciding.answer(kommune, environment, proposed.proposal or 0, "confirmed", ANITA)
    assert decided.ldif() == before

    report = decided.run()
    assert report["changed"]["account_renamed"] == 1
    ldif = decided.ldif()
    ((new_uid,),) = decided.query("select uid from golden.account where person_id = :p and to_run is null", p=renamed)
    assert new_uid.startswith("qvi")
    assert entry(ldif, new_uid)["givenName"] == ["Qvirin"]
    assert entry(ldif, new_uid)["norEduPersonLegalName"][0].startswith("Qvirin ")
    assert uid not in re.findall(r"^uid: (.*)$", ldif, re.MULTILINE)
    assert f"{uid}@" not in ldif
    assert not re.search("principalnameprior|formereduperson", ldif, re.IGNORECASE)
    assert entry(ldif, other_uid)["displayName"] == ["Zorro Visningsnavn"]
    assert entry(ldif, other_uid)["norEduPersonLegalName"] == entry(before, other_uid)["norEduPersonLegalName"]
    assert entry(ldif, kept_uid)["givenName"] == ["Xerxes"]
    assert decided.query(
        "select unit_id from golden.employment where person_id = :p and to_run is null", p=employee
    ) == [(school,)] * len(units)
    assert decided.query(
        "select field, value, registered from golden.overridden where person_id = :p and to_run is null order by 1",
        p=renamed,
    ) == [("fornavn", "Qvirin", registered), ("kjoenn", "mann", "kvinne"), ("user_name", "renew", None)]
    rows = people_lists.overrides(kommune, environment, BJORN)
    assert {(row.field, row.registered) for row in rows} >= {("fornavn", registered), ("kjoenn", "kvinne")}
    ((seen,),) = decided.query("select count(*) from control.audit where action = 'list overrides'")
    assert seen == 4

    # The end: the register's name again, and never the old user name for anybody else.
    confirmed(decided, EndOverride(override=numbers[0]))
    with pytest.raises(NotAllowed, match="finnes ikke, eller er avsluttet"):
        deciding.decide(kommune, environment, EndOverride(override=numbers[0]), ANITA)
    assert decided.ldif() == ldif
    decided.run()
    ((last_uid,),) = decided.query("select uid from golden.account where person_id = :p and to_run is null", p=renamed)
    assert entry(decided.ldif(), last_uid)["givenName"] == [registered]
    assert last_uid not in (uid, new_uid)
    assert decided.query("select uid from control.account_name where uid = any(:uids)", uids=[uid, new_uid])
    assert not decided.query(
        "select 1 from golden.account where uid = any(:uids) and person_id <> :p", uids=[uid, new_uid], p=renamed
    )


@pytest.mark.after_first_run
def test_protection_is_raised_at_once_by_one_and_ended_by_two(decided: Installation) -> None:  # noqa: F811
    kommune, environment = decided.kommune, decided.environment
    ((person, uid),) = holders(decided, "pupil", 1)
    raised = RaiseProtection(person=person, value="strengtFortrolig", review_on=date(2027, 1, 1), **REASON)
    dry = deciding.decide(kommune, environment, raised, ANITA, dry_run=True)
    assert dry.effect.hidden >= 1
    assert deciding.decide(kommune, environment, raised, BJORN, dry_run=True).effect.hidden == 0
    assert entry(decided.ldif(), uid)
    made = deciding.decide(kommune, environment, raised, BJORN)
    number = made.number or 0
    assert not entry(decided.ldif(), uid)
    assert not people_lists.overrides(kommune, environment, BJORN)
    assert [row.field for row in people_lists.overrides(kommune, environment, ANITA, graded=True)] == [
        "adressebeskyttelse"
    ]

    # Without the right to see protection the override is not there, and neither is the proposal to end it.
    with pytest.raises(NotAllowed) as refused:
        deciding.decide(kommune, environment, EndOverride(override=number), BJORN)
    with pytest.raises(NotAllowed) as nothing:
        deciding.decide(kommune, environment, EndOverride(override=2), BJORN)
    assert str(refused.value).replace(str(number), "2") == str(nothing.value)
    proposed = deciding.decide(kommune, environment, EndOverride(override=number), ANITA)
    assert proposed.proposal is not None
    with pytest.raises(NotAllowed, match="venter på svar"):
        deciding.answer(kommune, environment, proposed.proposal, "confirmed", BJORN)
    seeing = tuple(one.model_copy(update={"may": ("persons", "graded", "decide")}) for one in kommune.people)
    kommune = kommune.model_copy(update={"people": seeing})
    deciding.answer(kommune, environment, proposed.proposal, "confirmed", BJORN)
    republish(kommune, environment)
    assert not entry(decided.ldif(), uid)
    assert not decided.query("select 1 from control.veto where kind = 'protection' and lifted_at is not null")


VALUES = "insert into control.override (owner, person_id, field, value, reason, case_number, decided_by, approved_by, from_run) values ('haugesund', gen_random_uuid(), "  # noqa: E501
REFUSED = (
    VALUES + "'fornavn', 'Ola', 'x', '1', 'anita', null, 9)",
    VALUES + "'fornavn', 'Ola', 'x', '1', 'anita', 'anita', 9)",
    VALUES + "'fornavn', '', 'x', '1', 'anita', 'bjørn', 9)",
    VALUES + "'etternavn', ' ', 'x', '1', 'anita', 'bjørn', 9)",
    VALUES + "'kjoenn', 'annet', 'x', '1', 'anita', 'bjørn', 9)",
    VALUES + "'user_name', 'ola', 'x', '1', 'anita', 'bjørn', 9)",
    VALUES + "'school_unit', 'skole', 'x', '1', 'anita', 'bjørn', 9)",
    VALUES + "'number', '1', 'x', '1', 'anita', 'bjørn', 9)",
    VALUES + "'adressebeskyttelse', 'ugradert', 'x', '1', 'anita', 'bjørn', 9)",
    VALUES + "'adressebeskyttelse', 'fortrolig', 'x', '1', 'anita', 'anita', 9)",
    VALUES + "'adressebeskyttelse', 'fortrolig', '', '1', 'anita', null, 9)",
    VALUES + "'adressebeskyttelse', 'fortrolig', 'x', '', 'anita', null, 9)",
    "update control.override set value = 'fortrolig'",
    "update control.override set decided_by = 'x'",
    "update control.override set ended_at = now(), ended_by = 'anita'",
    "update control.override set ended_at = now(), ended_by = 'anita', ended_by_second = 'anita'",
    "delete from control.override",
)


@pytest.mark.after_first_run
def test_the_database_refuses_overrides_that_the_functions_refuse(decided: Installation) -> None:  # noqa: F811
    ((person, _),) = holders(decided, "pupil", 1)
    raised = RaiseProtection(person=person, value="fortrolig", review_on=date(2027, 1, 1), **REASON)
    deciding.decide(decided.kommune, decided.environment, raised, ANITA)
    refusals = (psycopg.errors.InsufficientPrivilege, psycopg.errors.CheckViolation)
    with psycopg.connect(decided.warehouse_url.replace("+psycopg", ""), autocommit=True) as connection:
        for statement in REFUSED:
            with pytest.raises(refusals):
                connection.execute(statement)
        ended = "update control.override set ended_at = now(), ended_by = 'a', ended_by_second = 'b'"
        assert connection.execute(ended).rowcount == 1
        for again in (ended, "update control.override set ended_at = null, ended_by = null, ended_by_second = null"):
            with pytest.raises(psycopg.errors.CheckViolation):
                connection.execute(again)
