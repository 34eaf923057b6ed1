"""Kontakt- og reservasjonsregisteret (KRR): ask for people by number, in bulk, and land the answers as they came.

Comes in: numbers. Goes out: the pages of ``land_pages`` under the phase ``krr``, with the question
``{"personidentifikatorer": [...]}`` and KRR's answer ``{"personer": [...]}``.
Says so: Digdir, Kontakt- og reservasjonsregisteret, "Oppslagstjenesten REST": at most 1000 numbers a call.
When it fails: SourceUnavailable is worth another try, which goes on after the last landed page; SourceRefused says who
must do what.
"""

from collections.abc import Iterable
from functools import partial

from dataflyt import maskinporten
from dataflyt.connections import Connection
from dataflyt.http import Progress, Register, Settings, land_pages
from dataflyt.landing import Landing

WHO = "Kontakt- og reservasjonsregisteret"


def extract(
    connection: Connection,
    numbers: Iterable[str],
    landing: Landing,
    *,
    progress: Progress | None = None,
    settings: Settings | None = None,
) -> int:
    """Land what KRR says of ``numbers`` as ``krr-<i:05d>.json``; give how many it left out, asked twice."""
    settings = settings or Settings()
    token = partial(maskinporten.token, connection, settings=settings)
    with Register(WHO, connection, token, settings) as register:
        return land_pages(
            lambda question: register.ask("/rest/v2/personer", question, "personer"),
            landing,
            "krr",
            numbers,
            "personidentifikatorer",
            progress,
            who=WHO,
        )
