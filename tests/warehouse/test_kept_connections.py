"""A process that answers people keeps a connection to each of the warehouses that were asked for last."""

import time
from collections.abc import Callable, Iterator

import psycopg
import pytest
from sqlalchemy import make_url, text

from dataflyt.storage.database import engine, keep_connections, transaction
from tests.installation.fixtures import Installation, _libpq

pytestmark = pytest.mark.new_connections


@pytest.fixture
def keep() -> Iterator[Callable[[int], None]]:
    """Keep connections to so many addresses, until the test is over."""
    yield keep_connections
    keep_connections(0)


def _session(url: str, *, fresh: bool = False) -> int:
    """Return the number of the server's session, which makes a view as a page does."""
    owner = str(make_url(url).username).removeprefix("kommune_")
    with transaction(engine(url, fresh=fresh), owner, lock=False) as connection:
        connection.execute(text("create temporary view now_person as select 1"))
        return int(connection.scalar(text("select pg_backend_pid()")))


def _of(installation: Installation, kommune: str) -> str:
    found = make_url(installation.warehouse_url).set(username=f"kommune_{kommune}")
    return found.render_as_string(hide_password=False)


def _ended(installation: Installation, session: int) -> bool:
    """Tell whether the session has ended. The server notices that a client has left some moments later."""
    with psycopg.connect(_libpq(make_url(installation.admin_url)), autocommit=True) as admin:
        for _ in range(100):
            if not admin.execute("select 1 from pg_stat_activity where pid = %s", [session]).fetchall():
                return True
            time.sleep(0.05)
    return False


def test_nothing_is_kept_unless_the_process_says_so(installation: Installation) -> None:
    first = _session(installation.warehouse_url)
    assert _ended(installation, first)


def test_a_session_is_used_again_and_sees_no_view_of_the_one_before(
    installation: Installation, keep: Callable[[int], None]
) -> None:
    keep(2)
    first = _session(installation.warehouse_url)
    assert _session(installation.warehouse_url) == first  # the view's name was free
    assert _session(installation.warehouse_url, fresh=True) != first
    keep(0)
    assert _ended(installation, first)


def test_the_address_asked_for_longest_ago_is_let_go(installation: Installation, keep: Callable[[int], None]) -> None:
    keep(1)
    first = _session(_of(installation, "haugesund"))
    other = _session(_of(installation, "bergen"))
    assert _ended(installation, first)
    assert _session(_of(installation, "bergen")) == other


def test_a_session_that_the_server_has_ended_is_replaced(
    installation: Installation, keep: Callable[[int], None]
) -> None:
    keep(1)
    first = _session(installation.warehouse_url)
    with psycopg.connect(_libpq(make_url(installation.admin_url))) as admin:
        admin.execute("select pg_terminate_backend(%s, 5000)", [first])
    assert _session(installation.warehouse_url) not in (first, 0)
