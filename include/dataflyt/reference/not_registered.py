"""Schools, subject codes and numbers that a kommune has and the registers lack: notes in the run's report.

Each is also a row on its work list. None of them stops a run: a register can be late too.
"""

from datetime import datetime

from sqlalchemy import Connection, text

from dataflyt.config.kommune import Kommune
from dataflyt.quality.running import Noted
from dataflyt.reference.refresh import SOURCES

_NAMED = 5
"""How many schools or codes one sentence names at most."""

_THEN = "known_from <= :as_of and coalesce(known_to > :as_of, true)"
_SCHOOLS = f"""
select distinct on (u.name, u.unit_id) u.name, u.unit_id, s.orgnr
from new_work_item w
join new_unit u on u.unit_id = w.unit_id
left join reference.school s
    on lower(s.name) = lower(u.name) and s.kommunenummer = any(:numbers) and s.active and {_THEN}
where w.kind = 'school_not_in_nsr'
order by u.name, u.unit_id, s.orgnr
"""
_CODES = """
select other, count(*) from new_work_item where kind = 'group_not_in_grep' group by other order by other
"""
_KOMMUNER = f"select name from reference.kommune where kommunenummer = any(:numbers) and {_THEN} order by name"


def notes(connection: Connection, kommune: Kommune, as_of: datetime) -> list[Noted]:
    """Return a note for each thing the registers lacked at ``as_of``, and for each register that was read too long ago.

    Needs the golden record's temporary tables ``new_work_item`` and ``new_unit``.
    """
    bound = {"as_of": as_of, "numbers": list(kommune.kommunenummer)}
    found = []
    for name, source in SOURCES.items():
        fresh, read_at = connection.execute(
            text(
                "select reference.fresh(:name, :as_of), max(read_at) from reference.reading "
                "where register = :name and read_at <= :as_of"
            ),
            {"name": name, "as_of": as_of},
        ).one()
        if not fresh:
            when = f"ble sist lest {read_at:%d.%m.%Y}" if read_at else "er ikke lest ennå"
            reason = f"{source.who} {when}, så {source.compared} er ikke kontrollert: se DAG-en reference_data."
            found.append(Noted(source.table, f"reference.{name}", reason, "dataingeniør", None))
            continue
        if name == "nsr" and (schools := connection.execute(text(_SCHOOLS), bound).all()):
            named = _listed([f"{school or 'uten navn'} ({orgnr}{_hint(hint)})" for school, orgnr, hint in schools])
            reason = (
                f"Ikke blant de aktive i {source.who}: {named}. Rett organisasjonsnummeret i skolesystemet, eller meld "
                "skolen til NSR."
            )
            found.append(Noted("sas_school", "sas_school.nsr", reason, "systemansvarlig", len(schools)))
        if name == "grep" and (codes := connection.execute(text(_CODES)).all()):
            reason = (
                f"Fagkoder som ikke er i bruk i Grep: {_listed([code for code, _ in codes])}. "
                "Rett fagkoden på gruppene i skolesystemet."
            )
            found.append(Noted("sas_group", "sas_group.grep", reason, "skolen", sum(count for _, count in codes)))
        if name == "klass" and (wrong := wrong_number(connection, kommune, as_of)):
            found.append(Noted("kommune", "kommune.klass", wrong, "dataingeniør", None))
    return found


def wrong_number(connection: Connection, kommune: Kommune, as_of: datetime) -> str | None:
    """Return a sentence when Klass lacked all of a kommune's numbers at ``as_of``, or had them under another name.

    Return None when all is well, and when Klass was read too long ago. A kommune may keep numbers that it had before:
    one number in use is enough.
    """
    bound = {"as_of": as_of, "numbers": list(kommune.kommunenummer)}
    if not connection.scalar(text("select reference.fresh('klass', :as_of)"), bound):
        return None
    names = [name or "" for name in connection.execute(text(_KOMMUNER), bound).scalars()]
    numbers = ", ".join(kommune.kommunenummer)
    if not names:
        return f"Kommunenummer {numbers} er ikke i bruk hos SSB (Klass 131): rett kommunenummer i kommunefilen."
    # Klass has a kommune's names in all languages: «Oslo - Oslove».
    if not any(part in kommune.name.casefold() for name in names for part in name.casefold().split(" - ")):
        return f"Kommunenummer {numbers} er {', '.join(names)} hos SSB: rett kommunenummer eller name i kommunefilen."
    return None


def _hint(orgnr: str | None) -> str:
    return f"; NSR har en med samme navn: {orgnr}" if orgnr else ""


def _listed(names: list[str]) -> str:
    more = f" og {len(names) - _NAMED} til" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more
