"""Call the clients' ``extract`` for one connection or folder, with the config of a kommune's file."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from dataflyt.config.connections import Connection
from dataflyt.config.kommune import FregSource, HrSource, KrrSource, SasSource
from dataflyt.sources.freg import client as freg
from dataflyt.sources.hr import client as hr
from dataflyt.sources.krr import client as krr
from dataflyt.sources.sas import client as sas
from dataflyt.storage.landing import Landing


@dataclass(frozen=True)
class At:
    """An ``Outside`` with one connection for all names, and one folder for all addresses."""

    connection: Connection
    folder: Any = None

    @property
    def connect(self) -> Callable[[str], Connection]:
        return lambda name: self.connection

    @property
    def path(self) -> Callable[[str], Any]:
        return lambda address: self.folder


def ask_freg(
    connection: Connection,
    numbers: Iterable[str],
    parts: Sequence[str],
    landing: Landing,
    phase: str,
    *,
    route: Any = "skatteetaten",
    rolle: str | None = None,
    **more: Any,
) -> int:
    """Ask FREG about these numbers."""
    config = FregSource(route=route, rolle=rolle, connection="freg_test")
    return freg.extract(config, At(connection), landing, numbers=numbers, parts=parts, phase=phase, **more)


def ask_residents(
    connection: Connection,
    kommunenummer: str,
    born: tuple[int, int],
    landing: Landing,
    *,
    route: Any = "skatteetaten",
    rolle: str | None = None,
    **more: Any,
) -> list[str]:
    """Ask FREG for a kommune's residents."""
    config = FregSource(route=route, rolle=rolle, connection="freg_test")
    return freg.residents(config, At(connection), landing, kommunenummer=kommunenummer, born=born, **more)


def ask_krr(
    connection: Connection,
    numbers: Iterable[str],
    landing: Landing,
    *,
    route: Any = "digdir",
    version: Any = 2,
    rolle: str | None = None,
    **more: Any,
) -> int:
    """Ask KRR about these numbers."""
    config = KrrSource(route=route, version=version, rolle=rolle, connection="krr_test")
    return krr.extract(config, At(connection), landing, numbers=numbers, **more)


def land_hr(folder: Any, files: str, landing: Landing, **said: Any) -> None:
    """Land the HR system's file from a folder."""
    config = HrSource(format="stamdata3", connection="hr_test", files=files, **said)
    hr.extract(config, At(Connection("hr_test", "file:///"), folder), landing)


def land_sas(folder: Any, format: Any, files: str, timetable: str | None, landing: Landing, **said: Any) -> None:
    """Land the school system's files from a folder."""
    config = SasSource(format=format, connection="sas_test", files=files, timetable=timetable, **said)
    sas.extract(config, At(Connection("sas_test", "file:///"), folder), landing)
