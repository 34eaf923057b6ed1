"""National identity numbers and organisation numbers.

Any text goes in; what can be known from the digits alone comes out. Nothing here raises, and nothing here is proof:
a number that passes may still belong to nobody, and under the 2032 rule four of eleven first control digits pass.

Rules: Skatteetaten, "Nytt fødselsnummer fra 2032" and its validator (control digits, both rules in parallel, months
+80 for synthetic people) and its note on the wider D-number series of 2021; the individual digits as they were
given out before 2032. Month +40 is a health service aid number (H-number), as NAV's fnrvalidator reads it.
Organisation numbers: Brønnøysundregistrene, mod 11 with weights 3 2 7 6 5 4 3 2.
"""

from dataclasses import dataclass
from datetime import date
from typing import Literal, TypeAlias

Kind: TypeAlias = Literal["fodselsnummer", "dnummer", "hnummer"]
Rule: TypeAlias = Literal["1964", "2032"]

K1_WEIGHTS = (3, 7, 6, 1, 8, 9, 4, 5, 2)
K2_WEIGHTS = (5, 4, 3, 2, 7, 6, 5, 4, 3, 2)
ORGNR_WEIGHTS = (3, 2, 7, 6, 5, 4, 3, 2)

_DIGITS = frozenset("0123456789")
_NEW_K1_RESTS = frozenset((0, 1, 2, 3))


@dataclass(frozen=True, slots=True)
class Number:
    """What a national identity number says.

    ``number`` is the text without blanks. When not ``valid`` the rest is empty. ``rule`` is the control digit rule
    that the first control digit follows: ``1964``, or ``2032`` when only the rule of 2032 allows it (a number issued
    after 2032 can follow both). ``birth_date`` is None where the digits do not tell the century.
    """

    number: str
    valid: bool
    kind: Kind | None = None
    synthetic: bool = False
    rule: Rule | None = None
    birth_date: date | None = None


def parse(text: str) -> Number:
    """Read a number: eleven digits, blanks allowed anywhere; everything else is not valid."""
    number = "".join(text.split())
    invalid = Number(number, valid=False)
    if len(number) != 11 or not _DIGITS.issuperset(number):
        return invalid
    digits = [int(digit) for digit in number]
    rest = (_weighted(digits, K1_WEIGHTS) + digits[9]) % 11
    if rest not in _NEW_K1_RESTS or (_weighted(digits, K2_WEIGHTS) + digits[10]) % 11:
        return invalid

    kind: Kind = "fodselsnummer"
    day, month, year = int(number[0:2]), int(number[2:4]), int(number[4:6])
    synthetic = month > 80
    if synthetic:
        month -= 80
    elif month > 40:
        month -= 40
        kind = "hnummer"
    if day > 40:
        day -= 40
        kind = "dnummer"
    # As in Skatteetaten's validator: any two-digit year is taken as 20yy, so that 29 February of 00 is a date.
    if _date(2000 + year, month, day) is None:
        return invalid

    rule: Rule = "2032" if rest else "1964"
    century = None
    if rule == "1964" and kind == "fodselsnummer":
        century = _century(year, int(number[6:9]))
    elif rule == "1964" and kind == "dnummer":
        century = _dnumber_century(year, int(number[6:9]))
    born = None if century is None else _date(century + year, month, day)
    return Number(number, valid=True, kind=kind, synthetic=synthetic, rule=rule, birth_date=born)


def orgnr(text: str) -> str | None:
    """Return the nine digits of an organisation number, or None when the text is not one.

    Blanks and the prefix ``NO`` that Feide writes are taken away; the control digit must be right.
    """
    number = "".join(text.split()).upper().removeprefix("NO")
    if len(number) != 9 or not _DIGITS.issuperset(number):
        return None
    digits = [int(digit) for digit in number]
    return number if (_weighted(digits, ORGNR_WEIGHTS) + digits[8]) % 11 == 0 and any(digits) else None


def _weighted(digits: list[int], weights: tuple[int, ...]) -> int:
    return sum(digit * weight for digit, weight in zip(digits, weights, strict=False))


def _date(year: int, month: int, day: int) -> date | None:
    try:
        return date(year, month, day)
    except ValueError:
        return None


def _century(year: int, individual: int) -> int | None:
    """Century of a fødselsnummer issued under the series of 1964; None outside them (it may be of 2032)."""
    if individual < 500:
        return 1900
    if year < 40:
        return 2000
    if individual < 750 and year >= 54:
        return 1800
    return 1900 if individual >= 900 else None


def _dnumber_century(year: int, individual: int) -> int | None:
    """Century of a D-number: known only where the series of 1964 and the wider ones of 2021 do not disagree."""
    first = individual // 100
    widened = None
    if first == 5 and year >= 58:
        widened = 1800
    elif year < 40:
        widened = 1900 if first < 2 else 2000
    elif first != 5:
        widened = 1900
    known = {century for century in (_century(year, individual), widened) if century is not None}
    return known.pop() if len(known) == 1 else None
