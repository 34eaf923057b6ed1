"""Search everything that an installation keeps: every table of every schema, as superuser, and every file on disk."""

import re
from collections.abc import Iterable

import psycopg
from sqlalchemy import make_url

from tests.installation.fixtures import Installation


def found(installation: Installation, words: Iterable[str]) -> dict[str, list[str]]:
    """Return the tables and files that hold any of the words, each with the words it holds. Words are whole words."""
    pattern = re.compile("|".join(rf"(?<![\w-]){re.escape(word)}(?![\w])" for word in words), re.IGNORECASE)
    places: dict[str, set[str]] = {}
    for name, content in (*_tables(installation), *_files(installation)):
        if hits := set(pattern.findall(content)):
            places.setdefault(name, set()).update(hits)
    return {name: sorted(hits) for name, hits in places.items()}


def _tables(installation: Installation) -> list[tuple[str, str]]:
    with psycopg.connect(admin_url(installation)) as connection:
        names = connection.execute(
            "select format('%I.%I', schemaname, tablename) from pg_tables "
            "where schemaname not in ('pg_catalog', 'information_schema')"
        ).fetchall()
        return [
            (name, row)
            for (name,) in names
            for (row,) in connection.execute(f"select t::text from {name} t").fetchall()
        ]


def admin_url(installation: Installation) -> str:
    """Return the address of the installation's database as superuser."""
    database = make_url(installation.warehouse_url).database
    url = make_url(installation.admin_url).set(drivername="postgresql", database=database)
    return url.render_as_string(hide_password=False)


def _files(installation: Installation) -> list[tuple[str, str]]:
    return [
        (str(path.relative_to(installation.storage)), path.read_bytes().decode(errors="replace"))
        for path in installation.storage.rglob("*")
        if path.is_file()
    ]
