"""KS Fiks' answers about KRR to rows: a page of answers, one a number, as the client lands them.

In: ``{"personer": [{"fnr": …, "svar": <the answer>}, …]}``. Out: a ``contact`` row for each number; a number without
``svar`` ("Ingen treff") is not registered. An answer about another number than the one asked about gives no row. An
answer of another shape raises ``Unreadable``.

Source: KS, OpenAPI "register-krr-api-v1". It is an assumption that ``status`` has KRR's words.
"""

from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

from dataflyt.errors import NobodyNamed, Unreadable
from dataflyt.formats.json_values import Json, flag, load_json, number, part, parts, text
from dataflyt.sources.krr.answers import is_list, why_not
from dataflyt.sources.krr.rows import Contact


def read(stream: BinaryIO) -> Iterator[NamedTuple]:
    """Yield a row for each number of a page of answers. Raises Unreadable."""
    answer = load_json(stream)
    if not isinstance(answer, dict) or not is_list(answer, "personer"):
        raise Unreadable(f"Siden er ikke svar fra KRR gjennom Fiks, for {why_not(answer)}.")
    named = 0
    for entry in parts(answer, "personer"):
        if who := number(entry, "fnr"):
            named += 1
            found = part(entry, "svar")
            if not found:
                yield Contact(who, "IKKE_REGISTRERT", *[None] * (len(Contact._fields) - 2))
            elif number(found, "fnr") == who:
                yield _contact(who, found)
    if answer["personer"] and not named:
        raise NobodyNamed("Siden er ikke svar fra KRR gjennom Fiks, for ingen oppføring nevner en person.")


def _contact(who: str, item: Json) -> Contact:
    email, mobile = part(item, "epost"), part(item, "tlf")
    return Contact(
        who,
        text(item, "status"),
        {True: "JA", False: "NEI", None: None}[flag(item, "reservert")],
        None,
        None,
        {True: "KAN_VARSLES", False: "KAN_IKKE_VARSLES", None: None}[flag(item, "kanVarsles")],
        text(email, "adresse"),
        text(email, "sistOppdatert"),
        text(email, "sistVerifisert"),
        None,
        text(mobile, "nummer"),
        text(mobile, "sistOppdatert"),
        text(mobile, "sistVerifisert"),
        None,
        None,
        None,
    )
