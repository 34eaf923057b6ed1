"""A run's plan with names: what it does not tell of protected people."""

import pytest

from dataflyt.run import open_plan
from tests.installation.fixtures import LOOKING, Installation


@pytest.mark.after_first_run
def test_the_plan_does_not_tell_that_an_employee_has_a_protected_child(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = installation
    monkeypatch.setattr(open_plan, "COVERED", 1 << 20)  # no employee of this test is among those never named
    ((parent, name),) = here.query(
        "select distinct e.person_id, concat_ws(' ', p.fornavn, p.mellomnavn, p.etternavn) from golden.employment e "
        "join golden.person p using (person_id) join golden.contact c using (person_id) "
        "join golden.guardian_access g on g.adult = e.person_id::text and g.state = 'active' "
        "join golden.protection x using (person_id) where x.level = 0 order by 1 limit 1"
    )

    def named() -> set[str | None]:
        with open_plan.open_plan(here.kommune, here.environment, 1, LOOKING) as plan:
            listed = plan.named("contact_changes", 100000)
            assert len(listed) > 50
            assert {one[1:4] for one in listed} == {(None, None, None)}
            return {one.subject for one in plan.about(parent) if one.kind == "contact_changes"}

    assert name in named()
    here.query(
        "insert into control.veto (owner, kind, person_id, level, cause, run, learned_at, outside_run) "
        "select owner, 'protection', child_id, 2, 'own', 1, now(), true from golden.guardian_access "
        "where adult = :adult returning 1",
        adult=str(parent),
    )
    assert name not in named()
