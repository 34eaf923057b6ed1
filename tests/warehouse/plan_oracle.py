"""The plan computed a second time, with Python sets instead of SQL, from the golden tables and the vetoes."""

from collections import defaultdict
from typing import Any

from tests.installation.fixtures import Installation

Rows = list[dict[str, Any]]


class State:
    """The golden record at ``run`` under the vetoes of ``vetoes``."""

    def __init__(self, installation: Installation, run: int, vetoes: Rows) -> None:
        def rows(table: str) -> Rows:
            return [
                row
                for row in _rows(installation, f"select * from golden.{table}")
                if row["from_run"] <= run and (row["to_run"] is None or row["to_run"] > run)
            ]

        self.people = {row["person_id"]: row for row in rows("person")}
        self.links = {(row["scheme"], row["value"]): row["person_id"] for row in rows("person_link")}
        self.groups = {row["group_id"]: row for row in rows("school_group")}
        self.members = {(row["person_id"], row["group_id"], row["role"]) for row in rows("membership")}
        self.contacts = {
            row["person_id"]: (row["email_hash"], row["mobile_hash"], row["reserved"]) for row in rows("contact")
        }
        self.accounts = {row["person_id"] for row in rows("account") if row["state"] == "active"}
        self.names = {row["person_id"]: row["uid"] for row in rows("account")}
        self.work = {(row["kind"], row["subject"], row["other"]): row["unit_id"] for row in rows("work_item")}
        self.schools: dict[Any, set[str]] = defaultdict(set)
        self.main_school: dict[Any, str] = {}
        for row in rows("enrolment"):
            self.schools[row["person_id"]].add(row["unit_id"])
            if row["main"]:
                self.main_school[row["person_id"]] = row["unit_id"]
        employed = rows("employment")
        self.employed = {row["person_id"] for row in employed}
        self.workplace = {row["person_id"]: row["unit_id"] for row in employed if row["main"]}
        self.level: dict[Any, int] = defaultdict(int)
        for row in rows("protection") + [veto for veto in vetoes if veto["kind"] == "protection"]:
            self.level[row["person_id"]] = max(self.level[row["person_id"]], row["level"] or 0)
        held = [(row["person_id"], row["held_back"], row["unasked"]) for row in rows("protection")]
        self.held = {person for person, is_held, _ in held if is_held}
        self.unasked = {person for person, _, unasked in held if unasked}
        dead = {str(veto["person_id"]) for veto in vetoes if veto["kind"] == "death"}
        taken = {(v["person_id"], v["adult"]) for v in vetoes if v["kind"] in ("access_ended", "access_suspended")}
        self.known_access = {(row["child_id"], row["adult"]): row for row in rows("guardian_access")}
        self.access = {
            pair
            for pair, row in self.known_access.items()
            if row["state"] == "active" and pair not in taken and not {str(pair[0]), pair[1]} & dead
        }


def plan(installation: Installation, run: int, released: int) -> set[tuple[str, str, str, str | None, bool]]:
    """Return the rows that the plan of ``run`` against the run ``released`` must have."""
    vetoes = _rows(installation, "select * from control.veto")
    lifted = {row["veto"] for row in _rows(installation, f"select * from control.lift where run = {run}")}
    standing = [row for row in vetoes if row["lifted_at"] is None]
    before = State(installation, released, [row for row in standing if row["run"] < run])
    after = State(installation, run, [row for row in standing if row["veto"] not in lifted])
    answered = {(row["person_id"], row["adult"]) for row in vetoes if row["run"] == run}
    out: set[tuple[str, str, str, str | None, bool]] = set()

    def add(kind: str, subject: object, other: object = "", unit: str | None = None, inferred: bool = False) -> None:
        out.add((kind, str(subject), str(other), unit, inferred))

    for child, adult in after.access - before.access:
        add("guardian_gains_access", child, adult)
    for pair in before.access - after.access:
        by_grant = before.known_access[pair]["basis"].startswith("grant:")
        add("guardian_loses_access", *pair, None, not (by_grant or pair in after.known_access or pair in answered))
    for person in {*before.level, *after.level}:
        rise = after.level[person] - before.level[person]
        if rise:
            add("protection_raised" if rise > 0 else "protection_lowered", person)
    for person, unit in after.main_school.items():
        if person not in before.schools:
            add("pupil_starts", person, "", unit)
        elif before.schools[person] != after.schools[person]:
            schools = [" ".join(sorted(state.schools[person])) for state in (before, after)]
            add("pupil_changes_school", person, *schools)
        if person in (before.held - after.held) & after.unasked and max(before.level[person], after.level[person]) < 2:
            add("pupil_published", person, "", unit)
    for person, unit in before.main_school.items():
        if person not in after.schools:
            add("pupil_leaves", person, "", unit, True)
    for person, unit in after.workplace.items():
        if person not in before.employed:
            add("employee_starts", person, "", unit)
    for person, unit in before.workplace.items():
        if person not in after.employed:
            add("employee_leaves", person, "", unit, True)
    for person in before.people.keys() & after.people.keys():
        old, new = before.people[person], after.people[person]
        if any(old[name] != new[name] for name in ("fornavn", "mellomnavn", "etternavn", "display_name")):
            add("name_changes", person)
        if old["number"] != new["number"]:
            add("number_changes", person)
    known = set(before.links.values())
    numbered = {person for (scheme, _), person in before.links.items() if scheme == "number"}
    for person in (after.people.keys() - before.people.keys()) & (known - numbered):
        if after.people[person]["number"]:
            add("number_changes", person)
    for link in before.links.keys() & after.links.keys():
        old_id, new_id = before.links[link], after.links[link]
        if old_id != new_id:
            add("persons_join" if new_id in known else "person_splits", old_id, new_id)
    for person in before.contacts.keys() | after.contacts.keys():
        if before.contacts.get(person, (None,) * 3) != after.contacts.get(person, (None,) * 3):
            add("contact_changes", person)
    for group in after.groups.keys() - before.groups.keys():
        add("group_appears", group, "", after.groups[group]["unit_id"])
    for group in before.groups.keys() - after.groups.keys():
        add("group_vanishes", group, "", before.groups[group]["unit_id"], True)
    for group in before.groups.keys() & after.groups.keys():
        if before.groups[group]["feide_type"] == "u" and after.groups[group]["feide_type"] != "u":
            add("group_loses_resources", group, "", after.groups[group]["unit_id"], True)
    for person, group, role in after.members ^ before.members:
        add("membership_changes", person, group, role, (person, group, role) in before.members)
    for person in after.accounts - before.accounts:
        add("account_created", person)
    for person in before.accounts - after.accounts:
        add("account_disabled", person, "", None, True)
    for person in after.accounts & before.names.keys():
        if before.names[person] != after.names[person]:
            add("account_renamed", person)
    for item in after.work.keys() - before.work.keys():
        if item[0] in ("sas_guardian_without_basis", "sas_guardian_missing"):
            add(*item, after.work[item])
    return out


def _rows(installation: Installation, sql: str) -> Rows:
    return [dict(row._mapping) for row in installation.query(sql)]
