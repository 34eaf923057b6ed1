"""Publish a released run: write the kommune's exports, check them, move them to their folder, then write the manifest.

``exports/<owner>/<run>-<digest>/feide.ldif`` and ``exports/<owner>/manifest.json``. Readers follow the manifest, which
is written last, since object stores have no rename. A publication is named by its run and the digest of its files: the
same state has the same name and the same bytes, and no name tells how many vetoes there are.

The manifest names the files and their sha256, but not how many people are in them. When a plan has no changes and such
a number falls, the difference is the number of people hidden since. The files' sizes are kept in the warehouse, to be
compared with those of the next publication.

An export may have a second file, of changes (``Export.changes``), for a receiver that cannot take a whole file. It
leads from the file that readers have, that of the publication in force, to the new one; the manifest gives the sha256
of both under ``changes``. When a file is the same as before, so are its changes, for ``_LEAD_DAYS``: between two runs
they may be one delete, which tells that this person was hidden. In July the file may stay the same for weeks. The
changes before them stand beside them under ``earlier``, oldest first, as long as each leads to the next and has not had
its days: a run that learns of a protection publishes twice within minutes, and a reader who comes once an hour goes
through both. Only changes that give no values of what later ones are about are kept so: others may hold values of
somebody who has been hidden since.

``changes`` is null where only the full file brings a reader on: at the first publication, when the file before is gone
or is not as it was written, in a new realm, and when the changes have had their days. The manifest gives no reason.
Only the publication in force has changes. A publication is named by its full files alone.

A file may stand there twice, once without contact details (``without_contact`` in the manifest), for recipients who are
not to have them (``delivery`` in the kommune file). Each of the two has changes of its own, which lead from the file
that the same recipients had.

The warehouse says which publication is in force: the transaction that writes the files records it. ``put_forward`` then
updates the manifest, after that transaction and at every start. So the two agree again after a process was killed
between them. A publication is written to ``exports/<owner>/.work`` until its digest is known; the next start empties
that folder.

A publication's ``state`` is everything it was written from: run, vetoes, decisions, kommune file and day. When any part
of the state has changed, the exports are written anew (``run.republish``).

Older publications are kept (``KEPT``), but not from before somebody was hidden (``protects``). When an adult's access
to a pupil has ended, the older ones lose the files that tell of guardians, and keep the others (``gone``): in a large
kommune some access ends every week, and all would be gone every week.
"""

import hashlib
import logging
import shutil
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from functools import partial
from pathlib import PurePath
from typing import Any, Final, NamedTuple, TypedDict

import orjson
from sqlalchemy import Connection, text

from dataflyt.config.kommune import Kommune
from dataflyt.errors import CheckFailed, ConfigError, Unreadable
from dataflyt.exports import disclosing, read_back
from dataflyt.exports.model import Changes, Counts, Export, Shown, Written
from dataflyt.exports.reading import ShownViews
from dataflyt.exports.registry import EXPORTS
from dataflyt.exports.without_contact import WithoutContact, named
from dataflyt.quality.rules import Outcome
from dataflyt.storage import private
from dataflyt.storage.files import measured, remove, write_atomically
from dataflyt.storage.landing import forget_listing
from dataflyt.warehouse import shown, vetoed_views
from dataflyt.warehouse.runs import Run

_WORK = ".work"
_LEAD_DAYS = 3
"""How many days after the day they were written the changes of a file are published: over a weekend."""
_MOST_LEADS = 10
log = logging.getLogger(__name__)


class _Written(NamedTuple):
    """An export's file as it has been written."""

    file: str
    sha256: str
    size: dict[str, int]


def sized(export: Export, counts: Counts, length: int, extras: Iterable[str]) -> dict[str, int]:
    """Return a file's size, to be compared with that of the next publication, figure by figure.

    A figure has another name where it means something else. The people of an export of classes are as few as the
    members of the classes. The bytes are those of a file with these extras: one without them is much smaller.
    """
    people = "in_classes" if export.of_classes else "people"
    return {
        people: counts.people,
        "groups": counts.groups,
        "+".join(["bytes", *sorted(extras)]): length,
    }


_Lead = TypedDict("_Lead", {"file": str, "sha256": str, "from": str, "to": str, "since": str})
"""A file of changes as the manifest names it: its sha256, that of the full file before and after, and its first day."""


def publish(
    connection: Connection,
    kommune: Kommune,
    run: Run,
    environment: Any,
    *,
    must_pass: bool,
    told: list[Outcome] | None = None,
) -> list[str]:
    """Write a released run's exports under all vetoes, check them, and note them as published.

    Readers see them after ``put_forward``, which is called in a transaction of its own. Returns the files' names. With
    ``must_pass``, raises CheckFailed when a file does not pass its check, and when a file is much smaller than the
    published one and no approver was asked; nothing is then published. The outcomes of these rules are added to
    ``told``, also when it raises.

    Without ``must_pass``, no file is checked, and no export gets what the kommune's file has given it since it was
    published: a new export and more ``export_extras`` wait for the next run. What the file takes away is taken away.

    Earlier publications are kept, the last ``KEPT``, unless somebody has been hidden since they were written, or the
    kommune's file has let the exports hold something else. Those from before an access ended lose the files that tell
    of guardians. ``put_forward`` deletes the files. Files equal to the published ones are not written again. Needs the
    kommune's lock.
    """
    root = environment.folder("exports") / run.owner
    day = environment.day(run.as_of)
    # The state is computed before anything is read. A decision takes no lock: one made meanwhile gives another state,
    # and the exports are then written anew.
    state_now = state(connection, kommune, run.number, day)
    before = published(connection, run.owner)
    if before and not must_pass:
        kommune = given_already(kommune, before)
    protects = _protects(connection, kommune, day)
    hold_unasked = kommune.pupils_without_number == "ask"
    shown.views(
        vetoed_views.views(connection, run.owner, run.number, "now_", day=day, hold_unasked=hold_unasked, whole=True)
    )
    work = root / _WORK
    try:
        may_be_shown = ShownViews(connection, kommune, run.as_of, realm=run.realm)
        files = [_write(EXPORTS[name], may_be_shown, work) for name in kommune.exports]
        sizes = {file.file: file.size for file in files}
        bare_receivers = partial(kommune.receivers, contact=False)
        bare = {
            EXPORTS[name].file: _write(
                EXPORTS[name], WithoutContact(may_be_shown, bare_receivers), work, named(EXPORTS[name].file)
            )
            for name in kommune.exports
            if kommune.without_contact(name) or (not must_pass and _stood_bare(before, EXPORTS[name]))
        }
        # Without must_pass, somebody is being taken out of the exports. No check may delay that, neither by its
        # findings nor by the time it takes.
        if must_pass:
            told = [] if told is None else told
            for name in kommune.exports:
                _refuse_findings(EXPORTS[name], work / EXPORTS[name].file, connection, told)
                if file := bare.get(EXPORTS[name].file):
                    _refuse_format(EXPORTS[name], work / file.file, told)
            if before and not run.asks:
                _refuse_smaller(before.sizes, sizes, kommune, day, told)
        leads = _leads(kommune, files, bare, before, _Folders(root, work, day, run.as_of))
        whole = hashlib.sha256("".join(f"{file.file}:{file.sha256};" for file in files).encode()).hexdigest()
        publication = f"{run.number:06d}-{whole[:12]}"
        written = [file.file for file in (*files, *bare.values())]
        written += [lead["file"] for of_file in leads.values() for lead in of_file]
        targets = [root / publication / name for name in written]
        stands = before is not None and before.publication == publication and all(path.exists() for path in targets)
        if not stands:
            _move(work, root / publication, targets)
        _let_the_group_read(environment.path(environment.storage), root.parent, root, root / publication, *targets)
    finally:
        remove(work)
    noted = {
        "owner": run.owner,
        "run": run.number,
        "publication": publication,
        "state": state_now,
        "protects": protects,
        "ended": _ended(connection, run.owner, run.number),
        "manifest": _manifest(kommune, run, publication, files, bare, leads),
        "sizes": orjson.dumps(sizes).decode(),
    }
    connection.execute(text(_NOTE), noted)
    disclosing.note(connection, kommune, publication, before.publication if before else publication)
    limits = {"kept": KEPT, "days": kommune.retention.history_days}
    connection.execute(text(_WITHDRAW_THE_REST), noted | limits)
    tell = [export for export in EXPORTS if kommune.tells_of_guardians(export)]
    connection.execute(text(_WITHDRAW_GUARDIANS), noted | {"exports": tell})
    return [file.file for file in files]


def _write(export: Export, may_be_shown: Shown, folder: Any, name: str | None = None) -> _Written:
    """Write an export's file in the folder. Raises CheckFailed when the data cannot be written."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / (name or export.file)
    with path.open("wb") as out:
        counts = export.write(may_be_shown, out)
    sha256, length = measured(path)
    return _Written(path.name, sha256, sized(export, counts, length, may_be_shown.extras(export.name)))


def _stood_bare(before: "Published | None", export: Export) -> bool:
    """Tell whether an export's file stands without contact details too: who gets them from now on waits for a run."""
    return before is not None and "without_contact" in before.files.get(export.file, {})


class _Folders(NamedTuple):
    """Where publications are and where the new one is being written, and the day and moment of the new one."""

    root: Any
    work: Any
    day: date
    as_of: datetime


def _leads(
    kommune: Kommune,
    files: Sequence[_Written],
    bare: Mapping[str, _Written],
    before: "Published | None",
    folders: _Folders,
) -> dict[str, list[_Lead]]:
    """Return the changes that lead to each file, by its name; those of a file without contact details too."""
    leads = {}
    for name, file in zip(kommune.exports, files, strict=True):
        changes = EXPORTS[name].changes
        if changes is None:
            continue
        said = before.files.get(file.file) if before else None
        leads[file.file] = _lead(changes, changes.file, file, said, before, folders)
        if without := bare.get(file.file):
            had = said.get("without_contact") if said else None
            leads[without.file] = _lead(changes, named(changes.file), without, had, before, folders)
    return leads


def _lead(
    changes: Changes,
    name: str,
    now: _Written,
    said: Mapping[str, Any] | None,
    before: "Published | None",
    folders: _Folders,
) -> list[_Lead]:
    """Write the changes that lead from the published file to the one just written, and return them after earlier ones.

    Each leads to the next. None are returned when only the full file is a way. ``said`` is what the manifest says of
    the published file. Nothing that goes wrong here stops a publication: it may be taking somebody out, and the full
    file is right.
    """
    if before is None or said is None:
        return []
    folder, target = folders.root / before.publication, folders.work / name
    try:
        if said["sha256"] == now.sha256:
            return _kept(leads_to(said), folder, folders, now.sha256)
        if measured(folder / now.file)[0] != said["sha256"]:
            return []
        with target.open("wb") as out:
            was, becomes = Written(folder / now.file, said["sha256"]), Written(folders.work / now.file, now.sha256)
            changes.write(was, becomes._replace(as_of=folders.as_of), out)
        if any(finding.blocks for finding in changes.check(target)):
            log.error("%s does not pass its check: readers must take the full file.", name)
            return []
        lead: _Lead = {
            "file": name,
            "sha256": measured(target)[0],
            "from": said["sha256"],
            "to": now.sha256,
            "since": folders.day.isoformat(),
        }
        return [*_kept(leads_to(said), folder, folders, now.sha256, name, changes), lead]
    except Unreadable:  # expected: a new realm, or a file of an older version
        log.warning("%s is not published: no changes lead to the full file, which readers must take.", name)
    except Exception as error:  # its text may hold values
        log.error("%s could not be written (%s): readers must take the full file.", name, type(error).__name__)
    return []


def _kept(
    leads: Sequence[_Lead],
    folder: Any,
    folders: _Folders,
    becomes: str,
    name: str | None = None,
    changes: Changes | None = None,
) -> list[_Lead]:
    """Copy the changes of the publication before; leave out those that are gone or too old, and those before them.

    Those that lead from ``becomes``, the new file, are left out too: it is as it was, and who has it needs nothing.

    With ``name``, which new changes have taken, the newest of them get a name of their own, and only those are kept
    that give no values of what later changes are about: their values are those of the full file of today. The others
    may have what the new changes take, such as the name of somebody hidden.
    """
    kept: list[_Lead] = []
    later = {element for element, _ in changes.named(folders.work / name)} if leads and changes and name else set()
    for lead in reversed(leads[-_MOST_LEADS:]):
        since = lead.get("since", folders.day.isoformat())  # an earlier version noted no day
        path = folder / lead["file"]
        if (folders.day - date.fromisoformat(since)).days > _LEAD_DAYS or not path.exists():
            break
        if lead["from"] == becomes:
            break
        if measured(path)[0] != lead["sha256"]:
            break
        if changes:
            about = list(changes.named(path))
            if any(gives and element in later for element, gives in about):
                break
            later.update(element for element, _ in about)
        file = earlier(name, lead["from"]) if name else lead["file"]
        with path.open("rb") as had, (folders.work / file).open("wb") as out:
            shutil.copyfileobj(had, out)
        kept.insert(0, {**lead, "file": file, "since": since})
    return kept


def earlier(name: str, sha256: str) -> str:
    """Return the name of changes that lead on from a file before the last.

    >>> earlier("feide-changes.ldif", "0123456789abcdef")
    'feide-changes-0123456789ab.ldif'
    """
    path = PurePath(name)
    return f"{path.stem}-{sha256[:12]}{path.suffix}"


def leads_to(file: Mapping[str, Any]) -> list[_Lead]:
    """Return the changes that a manifest names for a file, the oldest first; each leads to the next."""
    return [*file.get("earlier", ()), file["changes"]] if file.get("changes") else []


def _refuse_findings(export: Export, path: Any, connection: Connection, told: list[Outcome]) -> None:
    """Check a written file by its format, then read it back and validate it. Raises CheckFailed."""
    _refuse_format(export, path, told)
    outcomes = read_back.validate(export, path, connection)
    told += outcomes
    if broken := [outcome.reason for outcome in outcomes if not outcome.passed]:
        raise CheckFailed(
            f"{export.file} ble ikke publisert: {' '.join(broken)} Det som er publisert fra før, står. "
            "Si fra til en dataingeniør."
        )


def _refuse_format(export: Export, path: Any, told: list[Outcome]) -> None:
    """Check a written file by its format. Raises CheckFailed."""
    findings = Counter(finding.name for finding in export.check(path) if finding.blocks)  # a line each may be many
    told.append(_outcome(path.name, "format", "Filen er ikke slik formatet krever.", passed=not findings))
    if findings:
        raise CheckFailed(
            f"{path.name} ble ikke publisert: {findings.total()} funn ({', '.join(sorted(findings))}). Det som er "
            "publisert fra før, står."
        )


def _refuse_smaller(
    before: Mapping[str, Mapping[str, int]],
    now: Mapping[str, Mapping[str, int]],
    kommune: Kommune,
    day: date,
    told: list[Outcome],
) -> None:
    smaller = fallen(before, now, kommune, day)
    reason = "Filen er mye mindre enn den som er publisert fra før."
    told += [_outcome(file, "not_smaller", reason, passed=file not in smaller) for file in now]
    if smaller:
        raise CheckFailed(
            f"{' og '.join(smaller)} ble ikke publisert, for innholdet er mye mindre enn det som er publisert fra "
            "før, og som står, uten at noen er spurt: finn ut hvorfor, og er det riktig, start en kjøring med full "
            "innlasting, så blir en godkjenner spurt."
        )


def _outcome(file: str, rule: str, reason: str, *, passed: bool) -> Outcome:
    """Return the outcome of a rule of a file, without numbers: the size of a file tells who is hidden."""
    return Outcome(file, f"{file}.{rule}", "file", reason, "dataingeniør", passed, True, None, None, None)


def _move(work: Any, folder: Any, targets: Iterable[Any]) -> None:
    """Move the written files to the publication's folder, after emptying it of a killed try's files."""
    remove(folder)
    folder.mkdir(parents=True, exist_ok=True)
    for target in targets:
        (work / target.name).rename(target)


def _manifest(
    kommune: Kommune,
    run: Run,
    publication: str,
    files: Sequence[_Written],
    bare: Mapping[str, _Written],
    leads: Mapping[str, Sequence[_Lead]],
) -> str:
    def said(file: _Written) -> dict[str, Any]:
        one: dict[str, Any] = {"file": file.file, "sha256": file.sha256}
        if file.file in leads:
            of_file = leads[file.file]
            one["changes"] = of_file[-1] if of_file else None
            if of_file[:-1]:
                one["earlier"] = of_file[:-1]
        if without := bare.get(file.file):
            one["without_contact"] = said(without)
        return one

    manifest = {
        "owner": run.owner,
        "name": kommune.display_name,
        "run": run.number,
        "as_of": run.as_of.isoformat(),
        "publication": publication,
        "files": [said(file) for file in files],
    }
    return orjson.dumps(manifest, option=orjson.OPT_INDENT_2).decode()


_NOTE = """
insert into control.publication (owner, publication, run, state, protects, ended, published_at, manifest, sizes)
values (:owner, :publication, :run, :state, :protects, :ended, clock_timestamp(), :manifest, cast(:sizes as jsonb))
on conflict (owner, publication) do update
set state = excluded.state, protects = excluded.protects, ended = excluded.ended, gone = '{}',
    published_at = excluded.published_at, manifest = excluded.manifest, sizes = excluded.sizes, withdrawn_at = null
"""

KEPT: Final = 10
"""How many publications are kept, with the one in force."""

# Publications from before somebody was hidden, or from under other extras, are withdrawn; so are all but the last ones,
# and those that are older than the history that is kept.
_WITHDRAW_THE_REST = """
update control.publication set withdrawn_at = now()
where owner = :owner and withdrawn_at is null
    and (
        protects <> :protects
        or published_at < now() - make_interval(days => :days)
        or publication not in (
            select publication from control.publication
            where owner = :owner and withdrawn_at is null
            order by published_at desc limit :kept
        )
    )
"""

_WITHDRAW_GUARDIANS = """
update control.publication set gone = :exports
where owner = :owner and withdrawn_at is null and publication <> :publication and ended is distinct from :ended
"""


def _let_the_group_read(*paths: Any) -> None:
    """Let the group that reads the exports read these. A failure is logged and stops nothing; ``doctor`` finds it."""
    try:
        private.share(*paths)
    except ConfigError as error:
        log.warning("%s", error.sentence)


def state(connection: Connection, kommune: Kommune, run: int, day: date) -> str:
    """Return a digest of the state that the exports of a kommune are written from.

    The state is run, vetoes, decisions, identity changes, the kommune file's version and the day in Norway. Dataflyt's
    own version is not part of it: a run publishes the changes that a new version makes in the files, after the checks.
    """
    found = connection.execute(text(_STATE), {"owner": kommune.id}).one()
    return _digest(run, *found, kommune.version, day)


# A veto is added and lifted, never changed or deleted: two sets in force differ in newest, number or sum.
_STATE = """
with veto as (
    select
        coalesce(max(veto), 0) as newest,
        count(*) filter (where lifted_at is null) as in_force,
        coalesce(sum(veto) filter (where lifted_at is null), 0) as total
    from control.veto where owner = :owner
),
decision (said) as (
    select concat_ws('|', 'grant', access_grant, child_id, adult, basis, from_run, until, withdrawn_at is null)
    from control.access_grant where owner = :owner
    union all
    select concat_ws('|', 'block', access_block, child_id, adult, lifted_at is null)
    from control.access_block where owner = :owner
    union all
    select concat_ws('|', 'override', override, person_id, field, value, from_run, ended_at is null)
    from control.override where owner = :owner
    union all
    select concat_ws('|', 'manual_person', manual_person, from_run, until, ended_at is null)
    from control.manual_person where owner = :owner
    union all
    select concat_ws('|', 'publishable', publishable, person_id, from_run, ended_at is null)
    from control.publishable where owner = :owner
    union all
    select concat_ws('|', 'consent', consent, access_grant, given_by, withdrawn_at is null)
    from control.consent where owner = :owner
    union all
    select concat_ws('|', 'undone_hold', run, person_id) from control.undone_hold where owner = :owner
)
select
    newest, in_force, total,
    (select encode(sha256(convert_to(string_agg(said, E'\n' order by said collate "C"), 'UTF8')), 'hex') from decision),
    (
        select count(*) from control.identity_change i
        join control.run r on r.owner = :owner and r.run = i.run and r.state in ('released', 'undone')
        where i.owner = :owner
    )
from veto
"""


def _protects(connection: Connection, kommune: Kommune, day: date) -> str:
    """Return a digest of everything that hides people, and of what else the kommune's file lets the exports hold.

    Files written under another digest may hold a hidden person, or contact details that are no longer to be there.
    """
    found = connection.execute(text(_PROTECTS), {"owner": kommune.id, "day": day}).one()
    extras = sorted((export, *sorted(words)) for export, words in kommune.export_extras.items() if words)
    lets = kommune.pupils_without_number, kommune.calendars_of_all_decided is not None
    return _digest(*found, *extras, *lets)


_PROTECTS = """
select
    (select max(veto) from control.veto where owner = :owner and kind = 'protection'),
    (
        select string_agg(concat_ws('|', override, person_id, field, value), ',' order by override)
        from control.override where owner = :owner and ended_at is null
    ),
    (
        select string_agg(access_block::text, ',' order by access_block)
        from control.access_block where owner = :owner and lifted_at is null
    ),
    (
        select string_agg(access_grant::text, ',' order by access_grant)
        from control.access_grant where owner = :owner and (withdrawn_at is not null or until < :day)
    ),
    (
        select string_agg(manual_person::text, ',' order by manual_person)
        from control.manual_person where owner = :owner and (ended_at is not null or until < :day)
    ),
    (
        select string_agg(publishable::text, ',' order by publishable)
        from control.publishable where owner = :owner and ended_at is not null
    ),
    (
        select string_agg(consent::text, ',' order by consent)
        from control.consent where owner = :owner and withdrawn_at is not null
    ),
    (
        select count(*) from control.identity_change i
        join control.run r on r.owner = :owner and r.run = i.run and r.state in ('released', 'undone')
        where i.owner = :owner
    ),
    (select count(*) from control.undo where owner = :owner)
"""


def _ended(connection: Connection, owner: str, run: int) -> str:
    """Return a digest of every access that has ended. Files written under another digest may hold one.

    Needs the views ``now_shown_<what>``.
    """
    return _digest(*connection.execute(text(_ENDED), {"owner": owner, "run": run}).one())


# A publication shows only what a released run gave. What a run gave to a pupil who is still shown, and what is not
# shown now, has ended, whatever ended it: FREG's answer, the day, a death, a policy. A pupil who has left keeps the
# guardians in the older files, as the pupil stays there, unless a veto says that the access has ended.
_ENDED = """
select
    (
        select string_agg(said, ',' order by said collate "C") from (
            select distinct a.child_id || ' ' || a.adult as said
            from golden.guardian_access a
            join now_shown_person c on c.person_id = a.child_id and c.pupil
            where a.owner = :owner and a.from_run <= :run and a.adult_kind = 'person' and a.state = 'active'
                and not exists (
                    select from now_shown_relation r where r.child_id = a.child_id and r.adult_id::text = a.adult
                )
        ) as ended
    ),
    (select max(veto) from control.veto where owner = :owner and kind <> 'protection')
"""


def _digest(*said: object) -> str:
    return hashlib.sha256("|".join(map(str, said)).encode()).hexdigest()


def fallen(
    before: Mapping[str, Mapping[str, int]], now: Mapping[str, Mapping[str, int]], kommune: Kommune, day: date
) -> list[str]:
    """Return the files that have shrunk by more than the kommune's percent, in people, groups or bytes.

    Only people count from June, when the groups end, until the schools have made new ones: classes may end before the
    subject groups, and come later than the pupils. The guard asks about a run that loses most of its groups in June all
    the same. Figures that only one of the two publications has (``sized``) are not compared.
    """
    kept = 1 - kommune.guard.max_drop_percent / 100
    only_people = kommune.groups_end_or_begin(day)
    return [
        file
        for file, size in now.items()
        if any(
            size[what] < count * kept
            for what, count in before.get(file, {}).items()
            if what in size and (what == "people" or not only_people)
        )
    ]


class Published(NamedTuple):
    """The publication in force: its folder's name, its run, the state it was written from, its files' sizes.

    ``files`` are the files as its manifest names them; ``as_of`` is the moment it describes, ``manifest`` its text.
    """

    publication: str
    run: int
    state: str
    sizes: dict[str, dict[str, int]]
    files: dict[str, Any]
    as_of: str
    manifest: str


def published(connection: Connection, owner: str) -> Published | None:
    """Return the publication in force; None when nothing is published."""
    found = connection.execute(
        text(
            "select publication, run, state, sizes, manifest from control.publication "
            "where owner = :owner and withdrawn_at is null order by published_at desc limit 1"
        ),
        {"owner": owner},
    ).one_or_none()
    if found is None:
        return None
    said = orjson.loads(found.manifest)
    files = {file["file"]: file for file in said.get("files", ())}
    return Published(
        found.publication, found.run, found.state, found.sizes, files, said.get("as_of", ""), found.manifest
    )


def published_files(connection: Connection, kommune: Kommune) -> dict[str, dict[str, Any]]:
    """Return the run, the place and the sha256 of each of the kommune's exports in the publication in force."""
    stands = published(connection, kommune.id)
    files = {export: stands.files.get(EXPORTS[export].file) for export in kommune.exports} if stands else {}
    return {
        export: {"run": stands.run, "path": f"{stands.publication}/{file['file']}", "sha256": file["sha256"]}
        for export, file in files.items()
        if stands and file
    }


def given_already(kommune: Kommune, before: Published) -> Kommune:
    """Return the kommune with the exports and extras that it both has in its file and has in the publication.

    A file's extras stand in the names of its sizes (``sized``).
    """
    exports = tuple(name for name in kommune.exports if EXPORTS[name].file in before.files)
    extras = {}
    for name in exports:
        had = {word for figure in before.sizes.get(EXPORTS[name].file, {}) for word in figure.split("+")[1:]}
        extras[name] = tuple(word for word in kommune.export_extras.get(name, ()) if word in had)
    return kommune.model_copy(update={"exports": exports, "export_extras": extras})


def delete_changes(connection: Connection, owner: str, root: Any) -> None:
    """Delete the changes of the publication in force that name somebody who has been erased.

    Readers who have not applied them must take the full file. Other changes stay.
    """
    stands = published(connection, owner)
    if stands is None:
        return
    for export in EXPORTS.values():
        for lead in _leads_of(stands.files.get(export.file, {})):
            bound = {"owner": owner, "export": export.name, "from": lead["from"]}
            if connection.scalar(text(_NAMES_ERASED), bound):
                (root / stands.publication / lead["file"]).unlink(missing_ok=True)


def _leads_of(file: Mapping[str, Any]) -> list[_Lead]:
    """Return all changes that a manifest names for a file, and for the one without contact details."""
    return [*leads_to(file), *leads_to(file.get("without_contact") or {})]


# Those whom the changes delete were last in a publication with the file that the changes lead from.
_NAMES_ERASED = """
select exists (
    select from control.disclosure d
    join control.erased_id e on e.owner = d.owner and e.person_id = d.person_id
    join control.publication p on p.owner = d.owner and p.publication = d.last_publication
    where d.owner = :owner and d.file = :export and strpos(p.manifest, :from) > 0
)
"""


def put_forward(connection: Connection, owner: str, root: Any, *, just_written: bool = False) -> None:
    """Let the manifest in ``root`` name the publication in force, and delete the files that are withdrawn.

    Called after each publication, with ``just_written``, and at every start, where it completes a publication that was
    killed. At a start, a manifest that the warehouse does not know stays, with its files, until the next publication:
    the warehouse has been restored from a backup, and may not know everybody who is to be hidden. Needs the kommune's
    lock.
    """
    forget_listing(root)
    remove(root / _WORK)
    known = connection.execute(
        text(
            "select publication, manifest, gone, withdrawn_at is null as kept from control.publication "
            "where owner = :owner order by published_at desc"
        ),
        {"owner": owner},
    ).all()
    kept = [one for one in known if one.kept]
    if not kept:
        return
    path, wanted = root / "manifest.json", kept[0].manifest.encode()
    stands = path.read_bytes() if path.exists() else None
    if not just_written and stands not in {None, *(one.manifest.encode() for one in known)}:
        return
    if stands != wanted:
        write_atomically(path, wanted)
    _let_the_group_read(path)
    for folder in list(root.iterdir()):
        if folder.is_dir() and folder.name not in {one.publication for one in kept}:
            remove(folder)
    _delete_of_kept(root, kept, wanted)


def _delete_of_kept(root: Any, kept: Sequence[Any], manifest: bytes) -> None:
    """Delete the files of kept publications that are ``gone``, and all changes but those that the manifest names.

    Changes name people who are deleted. The first of ``kept`` is the publication in force.
    """
    leads = {lead["file"] for file in orjson.loads(manifest).get("files", ()) for lead in _leads_of(file)}
    stems = tuple(PurePath(export.changes.file).stem for export in EXPORTS.values() if export.changes)
    for one in kept:
        files = [EXPORTS[export].file for export in one.gone if export in EXPORTS]
        gone = {*files, *map(named, files)}
        folder = root / one.publication
        for path in list(folder.iterdir()) if folder.exists() else ():
            led = one is kept[0] and path.name in leads
            if path.name in gone or (path.name.startswith(stems) and not led):
                path.unlink(missing_ok=True)
