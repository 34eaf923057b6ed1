"""The headers of the SQL files agree with the statements, and the order of computation follows from them."""

import re
from graphlib import CycleError
from pathlib import Path

import mypy.api
import pytest
from sqlalchemy import Connection, text

from dataflyt.storage.database import copied
from dataflyt.warehouse import golden, guard, merge, plan, rules, runs, shown, veto, vetoed_views
from dataflyt.warehouse.rules import Rule
from tests.installation.fixtures import Installation

REPOSITORY = Path(__file__).parents[2]
FOLDERS = sorted(path.name for path in rules.SQL.iterdir() if path.is_dir())
RULES = [rule for folder in FOLDERS for rule in rules.folder(folder).values()]
MAKES = ("golden", "table", "view", "rows", "answer", "question", "part")

_OWN = re.compile(
    r"(?:\bwith(?:\s+recursive)?|,|^)\s*(\w+)(?:\s*\([\w, ]+\))?\s+as\s+(?:materialized\s+)?\(", re.IGNORECASE
)
_READ = re.compile(
    r"(?<!distinct )\b(?:from|join|using)\s+(?:lateral\s+)?([\w.]+|\{p\}\w+|\{\w+\})(?!\s*\(|[\w.])", re.IGNORECASE
)
_OTHER_FROM = re.compile(r"\b(?:extract|substring)\((?:[^()]|\([^()]*\))*? from ", re.IGNORECASE)


def relations(sql: str) -> set[str]:
    """Return the relations that a statement reads, except its own parts."""
    bare = re.sub(r"'[^']*'", "''", re.sub(r"--[^\n]*", "", sql))
    bare = _OTHER_FROM.sub("(", bare)
    return set(_READ.findall(bare)) - set(_OWN.findall(bare)) - {"lateral"}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: f"{rule.folder}/{rule.name}")
def test_a_header_names_what_its_statement_reads(rule: Rule) -> None:
    assert set(rule.needs) == relations(rule.sql)
    assert rule.makes in MAKES
    assert rule.grain
    assert rule.prose
    assert bool(rule.key) == (rule.makes == "golden")
    assert {*rule.key, *rule.index} <= set(rule.columns)


def test_relations_of_statements_are_found() -> None:
    assert relations("with a as (select 1 from b) select x from a join {p}c using (x), lateral f(x)") == {"b", "{p}c"}
    assert relations("delete from control.lift where x is distinct from y and z in (select z from d)") == {
        "control.lift",
        "d",
    }
    assert relations("select extract(year from day), substring(name from '[0-9]') from e -- from f") == {"e"}


@pytest.mark.parametrize("folder", FOLDERS)
def test_a_rule_stands_after_what_it_needs(folder: str) -> None:
    made: set[str] = set()
    later = {rule.relation for rule in rules.folder(folder).values()}
    for rule in rules.folder(folder).values():
        assert not set(rule.needs) & (later - made - {rule.relation})
        made.add(str(rule.relation))


def test_what_names_accounts_stands_before_the_accounts() -> None:
    accounts = rules.folder("accounts")
    naming = [
        accounts[name] for name in ("wanted", "listed", "kept", "made", "of_bas", "sas_names", "renewed", "named_for")
    ]
    before = {rule.relation for rule in rules.needed("golden", [rules.folder("golden")["account"]])}
    assert {need for rule in naming for need in rule.needs if need.startswith("new_")} <= before


def test_vetoes_need_neither_contact_nor_accounts_nor_lessons_nor_work_items() -> None:
    needed = {rule.name for rule in rules.needed("golden", rules.folder("veto").values())}
    assert rules.folder("golden").keys() - needed == {
        *("contact", "inherited_name", "account", "lesson", "name_differs", "work_item"),
    }


def test_rules_that_need_each_other_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "round").mkdir()
    for one, other in (("a", "b"), ("b", "a")):
        (tmp_path / "round" / f"{one}.sql").write_text(f"-- needs: {other}\n-- makes: table\nselect from {other}\n")
    monkeypatch.setattr(rules, "SQL", tmp_path)
    with pytest.raises(CycleError):
        rules.folder("round")


@pytest.mark.after_first_run
def test_a_header_names_the_columns_that_the_statement_gives(installation: Installation) -> None:
    given = columns(installation)
    assert given == {f"{rule.folder}/{rule.name}": dict(rule.columns) for rule in RULES if rule.makes != "rows"}


def test_the_golden_tables_have_the_columns_of_their_rules(installation: Installation) -> None:
    for name, rule in rules.folder("golden").items():
        if rule.makes == "golden":
            found = installation.query(_ATTRIBUTES, name=f"golden.{name}")
            kept = {column: kind for column, kind in found if column not in ("owner", "from_run", "to_run")}
            assert kept == rule.columns, name


_ATTRIBUTES = """
select attname, format_type(atttypid, atttypmod)
from pg_attribute
where attrelid = to_regclass(:name) and attnum > 0 and not attisdropped
order by attnum
"""


def columns(here: Installation) -> dict[str, dict[str, str]]:
    """Compute every rule as a run does, and return the columns of each."""
    job = here.open()
    here.steps(job, "extract_sas", "extract_hr", "extract_freg", "extract_krr")
    owner, run = job.owner, job.run.number
    with job.transaction() as connection:
        clean = merge.clean_rows(connection, owner, run)
        copied(connection, "sas_name", "person_id uuid, uid text", [])
        computed = golden.compute(golden.views_of_history(connection, owner), job.golden_inputs)
        released = runs.released_before(connection, owner, run)
        now = vetoed_views.views(connection, owner, released, "now_")
        veto.learn(computed, now, job.kommune.guard, answered="answered_freg")
        veto.plan_lifts(computed, clean)
        planned = plan.build(connection, owner, run, released)
        guard.reasons(planned, computed, now, clean, {}, max_drop_percent=5)
        shown.views(now)
        shown.views(vetoed_views.views(connection, owner, run, "after_", lifting=run))
        return _found(
            connection,
            computed.inputs.bound()
            | {"released": released, "believed": True, "people": [], "hints": []}
            | {"graded": False, "as_told": [], "told_as": []},
        )


def _found(connection: Connection, bound: dict[str, object]) -> dict[str, dict[str, str]]:
    copied(connection, "read_entry", "line bigint, uid text, number text, role text, schools text[]", [])
    copied(connection, "read_school", "key text, orgnr text", [])
    copied(connection, "told", "kind text, subject text", [])
    connection.execute(text(f"create temporary table staged as {rules.sql('accounts/staged')}"), bound)
    accounts = rules.folder("accounts")
    for name in ("candidate_account", "account_difference", "import_difference"):
        rules.make(connection, [accounts[name]], bound, staged="staged")
    placed = {
        "p": "now_",
        "answered": "answered_freg",
        "active": "'active'",
        "day": "date '2026-11-23'",
    }
    found = {}
    for rule in RULES:
        if rule.relation:
            name = f"pg_temp.{rule.name_in('now_')}"
        elif rule.makes == "rows":
            continue
        else:
            name = "pg_temp.probe"
            needs_place = re.search(r"\{(p|answered|active|day)\}", rule.sql)
            sql = rule.sql.format(**placed) if needs_place else rule.sql
            connection.execute(text("drop table if exists pg_temp.probe"))
            connection.execute(text(f"create temporary table probe as select * from ({sql}) as rule limit 0"), bound)
        rows = connection.execute(text(_ATTRIBUTES), {"name": name})
        found[f"{rule.folder}/{rule.name}"] = {column: kind for column, kind in rows}
    return found


_CALLS = """
from dataflyt.warehouse import guard
from dataflyt.warehouse.golden import Computed
from dataflyt.warehouse.merge import CleanRows
from dataflyt.warehouse.plan import Plan
from dataflyt.warehouse.vetoed_views import Views


def with_a_golden_record(plan: Plan, computed: Computed, now: Views, clean: CleanRows) -> None:
    guard.reasons(plan, computed, now, clean, {}, max_drop_percent=5)


def without(plan: Plan, now: Views, clean: CleanRows) -> None:
    guard.reasons(plan, now, clean, {}, max_drop_percent=5)
"""


@pytest.mark.long
def test_the_guard_without_a_golden_record_is_a_type_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(REPOSITORY)
    calls = tmp_path / "calls.py"
    calls.write_text(_CALLS, encoding="utf-8")
    told, _, status = mypy.api.run(["--no-error-summary", "--follow-imports=silent", str(calls)])
    assert status == 1
    wrong = _CALLS.splitlines().index("    guard.reasons(plan, now, clean, {}, max_drop_percent=5)") + 1
    assert {line.split(":")[1] for line in told.splitlines() if ": error:" in line} == {str(wrong)}
    assert 'Missing positional argument "limits"' in told
