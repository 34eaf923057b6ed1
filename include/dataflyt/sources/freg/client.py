"""Folkeregisteret (FREG): ask for people by number, in bulk, and land the answers as they came.

Comes in: numbers, and the ``part`` names asked for. Goes out: the pages of ``land_pages``, phase by phase, with the
question ``{"foedselsEllerDNummer": [...]}`` and FREG's answer ``{"oppslag": [...]}``.
Says so: Skatteetaten, Folkeregisteret API documentation (konsumenttjenester, dataminimering, returkoder): at most 1000
numbers a call, and Retry-After in milliseconds.
When it fails: SourceUnavailable is worth another try, which goes on after the last landed page; SourceRefused says who
must do what.
"""

from collections.abc import Iterable, Sequence
from functools import partial
from urllib.parse import urlencode

from dataflyt import maskinporten
from dataflyt.connections import Connection
from dataflyt.http import Progress, Register, Settings, land_pages
from dataflyt.landing import Landing

WHO = "Folkeregisteret"


def extract(
    connection: Connection,
    numbers: Iterable[str],
    parts: Sequence[str],
    landing: Landing,
    phase: str,
    *,
    progress: Progress | None = None,
    settings: Settings | None = None,
) -> int:
    """Land what FREG says of ``numbers`` as ``<phase>-<i:05d>.json``, asking for the named ``parts`` only.

    Gives how many FREG left out, asked twice.
    """
    if not parts:
        raise ValueError("without part FREG gives more than a school may ask for: name the parts")
    settings = settings or Settings()
    path = "/v1/personer/bulkoppslag?" + urlencode([("part", part) for part in parts])
    token = partial(maskinporten.token, connection, settings=settings)
    with Register(WHO, connection, token, settings, unit=0.001) as register:
        return land_pages(
            lambda question: register.ask(path, question, "oppslag"),
            landing,
            phase,
            numbers,
            "foedselsEllerDNummer",
            progress,
            who=WHO,
        )
