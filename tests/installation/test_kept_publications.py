"""The last ten publications lie in the storage, less those that may hold somebody who has been hidden since."""

import pytest
from sqlalchemy import text

from dataflyt.exports.publishing import KEPT
from dataflyt.storage import database
from tests.installation.fixtures import Installation, published_anew

pytestmark = pytest.mark.after_first_run


def publish(here: Installation, serial: int) -> str:
    """Publish the same run with another e-mail address of the school owner."""
    feide = here.kommune.feide.model_copy(update={"mail": f"feide{serial}@haugesund.kommune.no"})
    return published_anew(here, feide=feide).name


def kept(here: Installation) -> set[str]:
    return {path.name for path in (here.storage / "exports" / here.kommune.id).iterdir() if path.is_dir()}


def write(here: Installation, sql: str) -> None:
    with database.transaction(database.engine(here.warehouse_url), here.kommune.id) as connection:
        connection.execute(text(sql))


def test_the_last_ten_are_kept_until_somebody_is_hidden(installation: Installation) -> None:
    published = [publish(installation, serial) for serial in range(KEPT + 2)]
    assert kept(installation) == set(published[2:])
    write(
        installation,
        "insert into control.access_block (owner, child_id, adult, basis, case_number, decided_by, decided_at) "
        "select owner, child_id, adult, 'other', '2026/1', '101', now() from golden.guardian_access limit 1",
    )
    last = publish(installation, KEPT + 2)
    assert kept(installation) == {last}


def test_none_is_kept_longer_than_the_history(installation: Installation) -> None:
    first, second = publish(installation, 1), publish(installation, 2)
    days = installation.kommune.retention.history_days
    write(
        installation,
        f"update control.publication set published_at = now() - make_interval(days => {days + 1}) "
        f"where publication = '{first}'",
    )
    assert kept(installation) >= {first, second}
    third = publish(installation, 3)
    assert first not in kept(installation)
    assert kept(installation) >= {second, third}
