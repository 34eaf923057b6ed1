"""Tables as frames: the rights, the audit, what is left out without ``graded``, and that it tells of nobody."""

import re
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import pandas as pd
import pytest
from sqlalchemy import text

from dataflyt.errors import ConfigError, NotAllowed
from dataflyt.frames import read, reading, tables
from dataflyt.frames.reading import chunks
from dataflyt.frames.tables import OPEN, TABLES
from dataflyt.records.audited import looks
from dataflyt.run.looking import looking
from dataflyt.warehouse import actions, people
from dataflyt.warehouse.tables import GOLDEN
from tests.decisions.test_undo import families
from tests.installation.fixtures import Installation
from tests.records.test_show_person import ANITA, BJORN, CATO, parents
from tests.records.test_show_person import here as here

NUMBER = re.compile(r"(?<![0-9a-z])\d{11}(?![0-9a-z])")


def table(here: Installation, name: str, **more: Any) -> pd.DataFrame:
    return read(here.kommune, here.environment, name, ANITA if more.get("graded") else BJORN, **more)


def cells(frame: pd.DataFrame) -> Iterator[str]:
    return (str(cell) for column in frame for cell in frame[column])


def ids_in(frame: pd.DataFrame) -> set[str]:
    return {word for word in cells(frame) if re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", word)}


def id_of(here: Installation, number: str) -> str:
    ((found,),) = here.query(
        "select person_id from golden.person_link where scheme = 'number' and value = :number and to_run is null",
        number=number,
    )
    return str(found)


def test_every_golden_table_is_read_and_what_is_open_is_named_column_by_column() -> None:
    assert set(GOLDEN) <= set(TABLES)
    for name, opened in OPEN.items():
        assert set(opened.columns.split()) <= set(GOLDEN[name].columns)
        assert set(GOLDEN[name].key) - {"manual"} <= set(opened.columns.split())
    told = {column for name in OPEN for column in tables.columns(name, graded=False)}
    assert not told & {"manual", "answered", "source", "status", "dead", "kjoenn", "level", "held_back", "cause"}
    assert not {column for name in GOLDEN for column in tables.columns(name, graded=True)} & {
        "email_hash",
        "mobile_hash",
    }


def test_an_empty_table_has_the_columns_and_the_types_of_a_full_one() -> None:
    named = {"a": "uuid", "b": "bigint", "c": "boolean", "d": "date", "e": "timestamp with time zone", "f": "text"}
    (empty,) = reading._frames([], named)
    row = (UUID(int=1), 1, True, pd.Timestamp("2026-08-01").date(), pd.Timestamp("2026-08-01", tz="UTC"), "x")
    (full,) = reading._frames([row, (None,) * 6], named)
    assert dict(empty.dtypes) == dict(full.dtypes)
    assert full.isna().iloc[1].all()
    several = list(reading._frames([row] * (reading.CHUNK + 1), named))
    assert [len(one) for one in several] == [reading.CHUNK, 1]


@pytest.mark.after_first_run
def test_each_table_has_the_right_and_the_audit_of_a_look_at_its_people(here: Installation) -> None:
    for name in TABLES:
        if name in tables.COUNTS:
            assert len(read(here.kommune, here.environment, name))
            continue
        with pytest.raises(NotAllowed):
            read(here.kommune, here.environment, name)
        with pytest.raises(NotAllowed, match="«persons»"):
            read(here.kommune, here.environment, name, CATO)
        with pytest.raises(NotAllowed, match="«graded»"):
            read(here.kommune, here.environment, name, BJORN, graded=True)
        if name in GOLDEN and name not in OPEN:
            with pytest.raises(ConfigError, match="--graded"):
                read(here.kommune, here.environment, name, BJORN)
    with pytest.raises(ConfigError, match="finnes ikke: skriv access_by_grant"):
        read(here.kommune, here.environment, "golden.person", ANITA)
    with pytest.raises(ConfigError, match="ingen frigitt kjøring 7"):
        table(here, "person", run=7)
    refused = [one for one in looks(here.kommune, here.environment, ANITA) if one.action == "denied table"]
    assert {one.user_id for one in refused} == {"102", "103"}
    assert actions.title("denied table") == "avvist: hentet ut en tabell med"

    audited = "select person_id, detail, purpose, user_id from control.audit where action = 'table' order by at"
    for name, graded in (("enrolment", False), ("guardian_access", False), ("protection", True), ("unit", False)):
        before = len(here.query(audited))
        frame = table(here, name, graded=graded, numbers=graded)
        new = here.query(audited)[before:]
        who = ANITA if graded else BJORN
        assert {str(one.person_id) for one in new} == (ids_in(frame) or {"None"}), name
        assert {tuple(one)[1:] for one in new} == {
            (f"{name}, kjøring 1" + (", med fødselsnummer" if graded else ""), who.purpose, who.id)
        }

    # The audit is kept when the reading ends without an error, and nothing may be shown before that.
    before = len(here.query(audited))

    def stopped() -> None:
        with chunks(here.kommune, here.environment, "person", BJORN) as found:
            next(found)
            raise KeyError

    with pytest.raises(KeyError):
        stopped()
    assert len(here.query(audited)) == before


@pytest.mark.long
@pytest.mark.after_first_run
def test_without_graded_nobody_protected_is_in_a_table_and_nothing_tells_that_they_are_not(here: Installation) -> None:
    before = {name: table(here, name) for name in OPEN}
    everybody = set(before["person"]["person_id"])
    listed = [child for child in families(here) if id_of(here, child.number) in everybody]
    child, other, third = listed[:3]
    secret, adults = id_of(here, child.number), {id_of(here, one) for one in parents(child)}
    child.protection, child.home = "strengtFortrolig", None
    other.family = "Giftesen"
    here.run()
    after = {name: table(here, name) for name in OPEN}
    graded = {name: table(here, name, graded=True) for name in GOLDEN}
    words = {secret, child.number, f"{child.number[:6]}*****"} | adults
    for run in (None, 1, 2):
        for name in OPEN:
            frame = after[name] if run is None else table(here, name, run=run)
            assert not words & set(cells(frame)), (name, run)
            # No id in one table is missing from the other: a gap would be a protected or a covered person.
            assert ids_in(frame) <= set(after["person"]["person_id"]), (name, run)
    for name in ("person", "protection", "enrolment", "guardian_access"):
        assert secret in set(cells(graded[name]))
    assert after["school_group"]["group_id"].isin(after["membership"]["group_id"]).all()
    assert after["membership"]["group_id"].isin(after["school_group"]["group_id"]).all()
    assert not set(after["school_group"]["group_id"]) & set(graded["school_group"]["group_id"])

    # A former name is told of no run; with graded it is.
    now = after["person"].set_index("person_id")
    assert now.loc[id_of(here, other.number), "etternavn"] == "Giftesen"
    assert table(here, "person", run=1).set_index("person_id").loc[id_of(here, other.number), "etternavn"] == "Giftesen"
    assert "Giftesen" not in set(table(here, "person", run=1, graded=True)["etternavn"])

    # Numbers are masked, also where they are among other identifiers.
    assert not [word for frame in (*after.values(), *graded.values()) for word in cells(frame) if NUMBER.search(word)]
    assert third.number in set(table(here, "person", numbers=True)["number"])
    assert third.number in set(table(here, "person_link", graded=True, numbers=True)["value"])

    # What the school system calls a group may tell of its members.
    assert here.query(
        "update golden.school_group set group_type = 'norsk for Kanari', name = 'Kanari', grep_code = 'Kanari' "
        "where to_run is null and group_type = 'basisgruppe' returning 1"
    )
    named = table(here, "school_group")
    assert "annen" in set(named["group_type"])
    assert not [word for word in cells(named) if "Kanari" in word]
    assert "Kanari" in set(table(here, "school_group", graded=True)["name"])

    # The rules are those of people.hidden, but for those who are covered: some of everybody, and always the same.
    with looking(here.kommune, here.environment, whole=True) as look:
        tables.statement(look, "person", graded=False)
        shown = set(look.connection.execute(text("select person_id from frame_shown")).scalars())
        ids = set(look.connection.execute(text("select person_id from now_person where not dead")).scalars())
        seen = ids - people.hidden(look.now, ids, unknown=True)
    assert shown <= seen
    assert 0 < len(seen - shown) < len(seen) / 4


@pytest.mark.after_first_run
def test_a_plan_has_no_ids_without_graded_and_counts_are_what_was_kept(here: Installation) -> None:
    ids = {str(one) for (one,) in here.query("select person_id from golden.person")}
    plan = table(here, "plan")
    assert list(plan.columns) == ["kind", "title", "unit_id", "inferred"]
    assert not ids & set(cells(plan))
    assert ids & set(table(here, "plan", graded=True)["subject"])
    (changes,) = read(here.kommune, here.environment, "runs")["changes"]
    assert changes == len(plan)
    kept = read(here.kommune, here.environment, "checks")
    assert kept.loc[kept["scope"] == "file", ["checked", "unexpected", "percent", "took"]].isna().all(axis=None)
    assert kept.loc[kept["suite"] == "freg_adressebeskyttelse", "checked"].isna().all()
    assert not len(read(here.kommune, here.environment, "checks", run=7))
    assert not len(read(here.kommune, here.environment, "runs", run=7))
