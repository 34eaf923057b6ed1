"""Publishing a released run: files under the publication's own folder, checked, and then the manifest.

``exports/<owner>/<run>-<digest>/feide.ldif`` and ``exports/<owner>/manifest.json``. Readers follow the manifest, which
is written last, since object stores have no rename. A publication is named by its run and the digest of its files, so
the same state has the same name and the same bytes, and no name tells how many vetoes there are.

The manifest names the files and their sha256, never how many are in them: beside a plan without changes that would tell
how many have been hidden since. How large they were is kept in the warehouse, to be compared with.

The warehouse says which publication is in force, in the transaction that has written its files. ``put_forward`` lets
the manifest follow, after that and at every start, so that the two agree whatever was killed in between. Until a
publication has its digest it lies in ``exports/<owner>/.work``, which the next start empties.

What it was written from is its ``state``: run, vetoes, decisions, kommune file and day. When that has changed, what is
published is written anew (``run.republish``), whatever changed it.
"""

import contextlib
import hashlib
import logging
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any, NamedTuple

import orjson
from sqlalchemy import Connection, text

from dataflyt.config.kommune import Kommune
from dataflyt.errors import CheckFailed, ConfigError
from dataflyt.exports.reading import Golden
from dataflyt.exports.registry import EXPORTS
from dataflyt.storage import private
from dataflyt.storage.landing import forget_listing
from dataflyt.warehouse import shown, vetoed_views
from dataflyt.warehouse.runs import Run

_WORK = ".work"
log = logging.getLogger(__name__)


def publish(connection: Connection, kommune: Kommune, run: Run, environment: Any, *, must_pass: bool) -> list[str]:
    """Write the kommune's exports of a released run under all vetoes, check them, and note them as published.

    Readers see them after ``put_forward``, in a transaction of its own. Returns the files' names. Raises CheckFailed,
    with ``must_pass``, when a file does not pass its check, and when one is much smaller than what is published and
    nobody was asked; nothing is then published. Kept publications that were written before somebody was hidden are to
    be thrown away; so are all but the last two. What comes out as it is published is not written again. Needs the
    kommune's lock.
    """
    root = environment.folder("exports") / run.owner
    day = environment.day(run.as_of)
    # Before anything is read: people decide without the lock, and what they decide meanwhile is then another state.
    bound = {
        "owner": run.owner,
        "run": run.number,
        "state": state(connection, kommune, run.number, day),
        "protects": _protects(connection, run.owner, day),
    }
    before = published(connection, run.owner)
    hold_unasked = kommune.pupils_without_number == "ask"
    shown.views(vetoed_views.views(connection, run.owner, run.number, "now_", day=day, hold_unasked=hold_unasked))
    files: list[dict[str, Any]] = []
    work = root / _WORK
    try:
        for export in kommune.exports:
            write, check, file = EXPORTS[export]
            work.mkdir(parents=True, exist_ok=True)
            with (work / file).open("wb") as out:
                counts = write(Golden(connection, kommune, run.as_of), out)
            # When somebody is to be taken out, nothing that a check says or takes time for may hold it up.
            findings = [finding for finding in check(work / file) if finding.blocks] if must_pass else []
            if findings:
                names = ", ".join(sorted({finding.name for finding in findings}))
                raise CheckFailed(
                    f"{file} ble ikke publisert: {len(findings)} funn ({names}). Det som er publisert fra før, står."
                )
            digest, size = _measured(work / file)
            files.append({"file": file, "sha256": digest, "bytes": size, "counts": counts._asdict()})
        limit = kommune.guard.max_drop_percent
        if must_pass and before and not run.asks and (smaller := fallen(before.sizes, _sizes(files), limit)):
            raise CheckFailed(
                f"{' og '.join(smaller)} ble ikke publisert, for innholdet er mye mindre enn det som er publisert fra "
                "før, og som står, uten at noen er spurt: finn ut hvorfor, og er det riktig, start en kjøring med full "
                "innlasting, så blir en godkjenner spurt."
            )
        whole = hashlib.sha256("".join(f"{file['file']}:{file['sha256']};" for file in files).encode()).hexdigest()
        name = f"{run.number:06d}-{whole[:12]}"
        manifest = orjson.dumps(
            {
                "owner": run.owner,
                "name": kommune.display_name,
                "run": run.number,
                "as_of": run.as_of.isoformat(),
                "publication": name,
                "files": [{"file": file["file"], "sha256": file["sha256"]} for file in files],
            },
            option=orjson.OPT_INDENT_2,
        )
        same = before is not None and before.publication == name
        targets = [root / name / record["file"] for record in files]
        if not (same and all(target.exists() for target in targets)):
            remove(root / name)
            (root / name).mkdir(parents=True, exist_ok=True)
            for target in targets:
                (work / target.name).rename(target)
        _let_the_group_read(environment.path(environment.storage), root.parent, root, root / name, *targets)
    finally:
        remove(work)
    connection.execute(
        text(
            "insert into control.publication "
            "(owner, publication, run, state, protects, published_at, manifest, sizes) "
            "values (:owner, :name, :run, :state, :protects, clock_timestamp(), :manifest, cast(:sizes as jsonb)) "
            "on conflict (owner, publication) do update set state = excluded.state, protects = excluded.protects, "
            "published_at = excluded.published_at, manifest = excluded.manifest, sizes = excluded.sizes, "
            "withdrawn_at = null"
        ),
        {**bound, "name": name, "manifest": manifest.decode(), "sizes": orjson.dumps(_sizes(files)).decode()},
    )
    connection.execute(
        text(
            "update control.publication set withdrawn_at = now() where owner = :owner and withdrawn_at is null "
            "and (protects <> :protects "
            "or publication not in (select publication from control.publication where owner = :owner "
            "and withdrawn_at is null order by published_at desc limit 2))"
        ),
        bound,
    )
    return [file["file"] for file in files]


def _let_the_group_read(*paths: Any) -> None:
    """Let the group that reads the exports read these; that it cannot holds nothing up, and ``doctor`` says it."""
    try:
        private.share(*paths)
    except ConfigError as error:
        log.warning("%s", error.sentence)


def state(connection: Connection, kommune: Kommune, run: int, day: date) -> str:
    """Name the state that the exports of a kommune come from, as a digest.

    It is run, vetoes, decisions, identity changes, the kommune file's version and the day in Norway. Dataflyt's own
    version is not in it: what a new version writes goes out with a run, past the checks.
    """
    found = connection.execute(text(_STATE), {"owner": kommune.id}).one()
    return _digest(run, *found, kommune.version, day)


# A veto is added and lifted, never changed or deleted: newest, number and sum tell one set in force from another.
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
    select concat_ws('|', 'publishable', publishable, person_id, from_run, ended_at is null)
    from control.publishable where owner = :owner
    union all
    select concat_ws('|', 'consent', consent, access_grant, given_by, withdrawn_at is null)
    from control.consent where owner = :owner
)
select
    newest, in_force, total,
    (select encode(sha256(convert_to(string_agg(said, E'\n' order by said collate "C"), 'UTF8')), 'hex') from decision),
    (
        select count(*) from control.identity_change i
        join control.run r on r.owner = :owner and r.run = i.run and r.state = 'released'
        where i.owner = :owner
    )
from veto
"""


def _protects(connection: Connection, owner: str, day: date) -> str:
    """Name what keeps people out of the files, as a digest: another one means that older files may hold somebody."""
    return _digest(*connection.execute(text(_PROTECTS), {"owner": owner, "day": day}).one())


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
        select string_agg(publishable::text, ',' order by publishable)
        from control.publishable where owner = :owner and ended_at is not null
    ),
    (
        select string_agg(consent::text, ',' order by consent)
        from control.consent where owner = :owner and withdrawn_at is not null
    ),
    (
        select count(*) from control.identity_change i
        join control.run r on r.owner = :owner and r.run = i.run and r.state = 'released'
        where i.owner = :owner
    )
"""


def _digest(*said: object) -> str:
    return hashlib.sha256("|".join(map(str, said)).encode()).hexdigest()


def _sizes(files: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, int]]:
    """Return how large each file is: people, groups, bytes."""
    return {
        file["file"]: {
            "people": file["counts"]["people"],
            "groups": file["counts"]["groups"],
            "bytes": file["bytes"],
        }
        for file in files
    }


def fallen(before: Mapping[str, Mapping[str, int]], now: Mapping[str, Mapping[str, int]], percent: float) -> list[str]:
    """Name the files that have fallen by more than this, in people, groups or bytes.

    >>> fallen({"a": {"people": 10, "bytes": 90}}, {"a": {"people": 6, "bytes": 90}}, 30)
    ['a']
    """
    return [
        file
        for file, sized in now.items()
        if any(sized[what] < count * (1 - percent / 100) for what, count in before.get(file, {}).items())
    ]


class Published(NamedTuple):
    """What is published now: its folder's name, its run, the state it was written from, and how large its files are."""

    publication: str
    run: int
    state: str
    sizes: dict[str, dict[str, int]]


def published(connection: Connection, owner: str) -> Published | None:
    """Return what is published, None when nothing is."""
    found = connection.execute(
        text(
            "select publication, run, state, sizes from control.publication "
            "where owner = :owner and withdrawn_at is null order by published_at desc limit 1"
        ),
        {"owner": owner},
    ).one_or_none()
    if found is None:
        return None
    return Published(*found)


def put_forward(connection: Connection, owner: str, root: Any, *, just_written: bool = False) -> None:
    """Let the manifest in ``root`` tell of the publication in force, and throw away the files of all that are not kept.

    After each publication, which is then ``just_written``, and at every start: what was killed in between is done then.
    At a start a manifest that the warehouse never wrote stays, with its files, until the next publication: the
    warehouse is a restored one, and may know less of whom to hide. Needs the kommune's lock.
    """
    forget_listing(root)
    remove(root / _WORK)
    known = connection.execute(
        text(
            "select publication, manifest, withdrawn_at is null as kept from control.publication "
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


def purge_landing(folder: Any, *, keep: int) -> None:
    """Throw away the raw answers of runs before ``keep``: they have done their work, and hold protected people too."""
    for run in list(folder.iterdir()) if folder.exists() else []:
        if run.is_dir() and run.name < f"{keep:06d}":
            remove(run)


def write_atomically(path: Any, content: bytes) -> None:
    """Write a small file so that a reader sees the old one or the new one, whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(path, Path) or path.protocol in ("", "file", "local"):
        local = Path(path if isinstance(path, Path) else path.path)
        temporary = local.with_name(f".{local.name}.tmp")
        temporary.write_bytes(content)
        temporary.replace(local)
    else:  # object stores show a file when it is complete
        path.write_bytes(content)


def remove(folder: Any) -> None:
    """Throw away a folder and all that is in it; nothing when it is not there."""
    for entry in list(folder.iterdir()) if folder.exists() else []:
        if entry.is_dir():
            remove(entry)
        else:
            entry.unlink()
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):  # in an object store it goes with its last file
        folder.rmdir()


def _measured(path: Any) -> tuple[str, int]:
    """Return a file's sha256 and its size in bytes."""
    digest, size = hashlib.sha256(), 0
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
            size += len(chunk)
    return digest.hexdigest(), size
