"""The kind of change in ``docs/develop/add-a-plan-kind.md`` is found by the SQL that stands there."""

import re
from pathlib import Path

import pytest

from dataflyt.run.open_plan import open_plan
from dataflyt.warehouse.plan import PlanRow
from tests.installation.fixtures import TO_PLAN, Installation

RECIPE = Path(__file__).parents[2] / "docs" / "develop" / "add-a-plan-kind.md"


@pytest.mark.after_first_run
def test_the_recipe_s_rows_are_the_pupils_who_change_class(installation: Installation) -> None:
    (block,) = re.findall(r"```sql\n(.*?)```", RECIPE.read_text(encoding="utf-8"), re.DOTALL)
    assert block.startswith("union all\n")
    world = installation.registers.world
    plain = {p.sas.person_id for p in world.pupils if p.person and not p.person.cases and not p.cases}
    classes = [group for group in world.groups if group.kind[1] == "basisgruppe"]
    left = next(group for group in classes if any(member.person_id in plain for member in group.members))
    joined = next(group for group in classes if group.school == left.school and group is not left)
    mover = next(member for member in left.members if member.person_id in plain)
    left.members.remove(mover)
    joined.members.append(mover)
    installation.registers.write()
    installation.steps(installation.open(), *TO_PLAN)
    with open_plan(installation.kommune, installation.environment, None) as opened:
        rows = opened.planned.connection.exec_driver_sql(block.removeprefix("union all\n")).all()
    (who,) = installation.query(
        "select person_id from golden.person_link where scheme = 'sas' and value = :id and to_run is null",
        id=mover.person_id,
    )[0]
    assert [PlanRow(*row) for row in rows] == [
        PlanRow("pupil_changes_class", str(who), left.group_id, joined.group_id, False)
    ]
