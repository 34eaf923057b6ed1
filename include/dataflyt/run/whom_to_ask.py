"""Whom the registers are asked about in a run: SQL over the rows that the run has staged so far.

``{owner}`` in each statement is the kommune's id, which names its schema of staging tables, and ``{today}`` the run's
day.
"""

from sqlalchemy import text

from dataflyt.run.job import Job
from dataflyt.warehouse import events, rules, runs

# Role 01 is a pupil (PIFU-IMS 1.3). When a pupil's number is missing in the file, FREG is asked by the number of an
# earlier run. The two ids of such a pupil are two rows: a join by «in» of both would compare every id with every other.
PUPILS = """
with pupil as (
    select p.number, p.person_id, p.old_person_id from staging_{owner}.sas_person p
    where p.person_id in (select m.person_id from staging_{owner}.sas_membership m where m.role = '01')
), numbered as (
    select number from pupil
    union
    select k.value from (
        select person_id as sas_id from pupil where number is null
        union select old_person_id from pupil where number is null
    ) as known
    join golden.person_link l on l.owner = '{owner}' and l.to_run is null and l.scheme = 'sas'
        and l.value = known.sas_id
    join golden.person_link k on k.owner = '{owner}' and k.to_run is null and k.scheme = 'number' and k.current
        and k.person_id = l.person_id
)
select number from numbered where number ~ '^[0-9]{{11}}$' order by 1
"""
"""Pupils in the school system's file."""


def responsible(tables: str) -> str:
    """Return a query for the people that a FREG document names as responsible for the document's own person.

    ``tables`` stands before a table's name. As in responsible.sql, a document about a parent may speak of their child
    (``ansvarssubjekt``); such a line is left out here.
    """
    return f"""
select distinct f.ansvarlig from {tables}freg_foreldreansvar f
where f.ansvarlig ~ '^[0-9]+$' and length(f.ansvarlig) = 11 and f.ergjeldende is not false
    and f.ansvarlig <> f.foedselsellerdnummer
    and (f.ansvarssubjekt is null or f.ansvarssubjekt = f.foedselsellerdnummer or exists (
        select from {tables}freg_identifikasjonsnummer s
        where s.foedselsellerdnummer = f.foedselsellerdnummer and s.identifikasjonsnummer = f.ansvarssubjekt
    ))
"""


RESPONSIBLE = f"""
with pupil as ({PUPILS})
{responsible("staging_{owner}.")}
    and f.foedselsellerdnummer in (
        select p.foedselsellerdnummer from staging_{{owner}}.freg_person p
        where p.oppslag in (select number from pupil)
        union
        select i.foedselsellerdnummer from staging_{{owner}}.freg_identifikasjonsnummer i
        where i.identifikasjonsnummer in (select number from pupil)
    )
order by 1
"""
"""The people responsible for the pupils."""

# By the newest number of each adult. Any id that the child has had finds the grant.
GRANTED = f"""
with pupil as ({PUPILS})
select distinct on (l.person_id) l.value from control.access_grant g
join golden.person_link l on l.owner = g.owner and l.person_id = control.as_uuid(g.adult) and l.scheme = 'number'
    and l.current and length(l.value) = 11
where g.owner = '{{owner}}' and g.adult_kind = 'person' and g.withdrawn_at is null
    and coalesce(g.until, 'infinity') >= date '{{today}}' and g.child_id in (
        select c.person_id from golden.person_link c
        where c.owner = '{{owner}}' and (
            c.scheme = 'number' and c.value in (select number from pupil)
            or c.scheme = 'sas' and c.value in (select s.person_id from staging_{{owner}}.sas_person s)
        )
    )
order by l.person_id, l.to_run desc nulls first, l.value
"""
"""The adults with a grant for a pupil: FREG tells of them what it tells of the responsible ones."""

GUARDIANS = f"""
with wanted (number) as (
    select ansvarlig from ({RESPONSIBLE}) as responsible union select value from ({GRANTED}) as granted
)
select number from wanted
where not exists (select from staging_{{owner}}.freg_person p where p.oppslag = number) order by 1
"""
"""The responsible people, and the adults with a grant, whose documents did not come with the pupils' documents."""

ANSWERED = """
select oppslag from staging_{owner}.freg_person
union select identifikasjonsnummer from staging_{owner}.freg_identifikasjonsnummer
"""
"""Numbers that FREG has answered about in this run."""

_SIBLINGS = f"""
with pupil as ({PUPILS}),
link as (
    select person_id, value as number, current from golden.person_link
    where owner = :owner and to_run is null and scheme = 'number'
),
asked as (
    select number from pupil union {ANSWERED} union select oppslag from staging_{{owner}}.freg_ubesvart
)
select distinct on (l.person_id) l.number
from ({rules.sql("asked/siblings")}) as s
join link l on l.person_id = s.person_id and length(l.number) = 11
where s.other_id in (select k.person_id from link k join pupil on pupil.number = k.number)
    and s.person_id not in (select k.person_id from link k join asked on asked.number = k.number)
order by l.person_id, l.current desc, l.number
"""


def numbers(job: Job, query: str) -> list[str]:
    """Return the numbers that ``query`` gives."""
    with job.transaction(lock=False) as connection:
        found = text(query.format(owner=job.owner, today=job.golden_inputs.today))
        return list(connection.execute(found).scalars())


def route(job: Job, *queries: str) -> None:
    """Route FREG's events about the numbers of each query to the kommune from now on, whatever FREG answers."""
    with job.transaction(lock=False) as connection:
        for query in queries:
            events.route_numbers(connection, job.owner, query.format(owner=job.owner, today=job.golden_inputs.today))


def siblings(job: Job) -> list[str]:
    """Return the numbers of the pupils' siblings who live with them and about whom FREG has not been asked yet."""
    with job.transaction(lock=False) as connection:
        bound = {"owner": job.owner, "released": runs.released_before(connection, job.owner, job.run.number)}
        return list(connection.execute(text(_SIBLINGS.format(owner=job.owner)), bound).scalars())
