"""Answers of FREG's ``personer/{personidentifikator}`` to rows. An answer does not tell which number was asked for."""

from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

from dataflyt.errors import Unreadable
from dataflyt.formats.json_values import load_json
from dataflyt.sources.freg.documents import error_message, number_in_use, numbers_in, person_rows, says_anything
from dataflyt.sources.freg.rows import Ubesvart


def read(stream: BinaryIO) -> Iterator[NamedTuple]:
    """Yield the rows of the person that an answer is about. Raises Unreadable."""
    answer = load_json(stream)
    if isinstance(answer, list) and len(answer) == 1:
        answer = answer[0]
    if not isinstance(answer, dict) or not numbers_in(answer):
        raise Unreadable(f"Siden er ikke en person fra Folkeregisteret, for {_why_not(answer)}.")
    if says_anything(answer):
        yield from person_rows(answer, None)
    else:
        yield Ubesvart(number_in_use(answer) or "", None)


def _why_not(answer: object) -> str:
    if not isinstance(answer, dict):
        return "den er ikke et objekt"
    if "oppslag" in answer:
        return "den ser ut som et svar på bulkoppslag (formatet bulk)"
    if "personer" in answer:
        return "den ser ut som et svar fra KRR"
    return error_message(answer) or "den har ingen «identifikasjonsnummer»"
