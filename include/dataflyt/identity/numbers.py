"""National identity numbers and organisation numbers.

In: any text. Out: what the digits alone say. Nothing here raises. A valid number proves nothing: it may belong to
nobody, and under the 2032 rule four of eleven first control digits are valid.

Rules: Skatteetaten, "Nytt fødselsnummer fra 2032" and its validator (control digits, both rules in parallel, months
+80 for synthetic people), and its note on the wider D-number series of 2021; the series of individual digits before
2032. Month +40 is a health service aid number (H-number), as in NAV's fnrvalidator.
Organisation numbers: Brønnøysundregistrene, mod 11 with weights 3 2 7 6 5 4 3 2.
"""

import re
import unicodedata
from datetime import date
from operator import mul
from typing import Literal, NamedTuple, TypeAlias

Kind: TypeAlias = Literal["fodselsnummer", "dnummer", "hnummer"]
Rule: TypeAlias = Literal["1964", "2032"]

K1_WEIGHTS = (3, 7, 6, 1, 8, 9, 4, 5, 2)
K2_WEIGHTS = (5, 4, 3, 2, 7, 6, 5, 4, 3, 2)
ORGNR_WEIGHTS = (3, 2, 7, 6, 5, 4, 3, 2)

_DIGITS = frozenset("0123456789")
_VALUES = {digit: int(digit) for digit in _DIGITS}
_NEW_K1_RESTS = frozenset((0, 1, 2, 3))
_ONLY_DIGITS = re.compile(r"[0-9]+")
_QUOTES = "'\"\u2018\u2019\u201c\u201d`\u00b4"
_NO_FRACTION = re.compile(r"^([0-9]{10,11})[.,]0+$")
_SCIENTIFIC = re.compile(r"[0-9]+([.,][0-9]+)?[eE]\+?[0-9]{1,2}")
# Signs that people write between digits.
_BETWEEN_DIGITS = re.compile(r"(?<=[0-9])[-\u2010-\u2015\u2212._/](?=[0-9])")
_UUID = re.compile(r"\{?[0-9a-fA-F]{8}(-?[0-9a-fA-F]{4}){3}-?[0-9a-fA-F]{12}\}?")
_TEN_DIGITS = re.compile(r"[0-9]{10}")
# norEduPersonLIN: Feide's form of a number that a kommune issued.
_LIN = re.compile(r"[A-Za-z0-9.-]+:localnin:(.+)")
_ENCRYPTED = re.compile(r"(?=.*[A-Za-z])([A-Za-z0-9+/_-]{25,}={0,2}|[A-Za-z0-9+/_-]{6,}={1,2})")


Meant: TypeAlias = Literal["number", "duf", "provisional", "encrypted", "miswritten", "local"]
"""The kinds of text. Only a ``number`` can be asked about in FREG, and only a ``number`` is a norEduPersonNIN."""


class Written(NamedTuple):
    """A text and its kind. ``value`` is a number's eleven digits, or the text without blanks."""

    kind: Meant
    value: str


def read(text: str | None) -> Written | None:
    """Tell what a text from a file or a form is; None for an empty one.

    - ``number``: fødselsnummer or D-number with the right control digits. Blanks, dashes, dots and a spreadsheet's
      additions (``'058…``, ``="058…"``, ``….0``) are removed, and a leading zero that the spreadsheet removed is put
      back;
    - ``duf``: a DUF number of UDI's register, twelve digits that begin with a year;
    - ``provisional``: a birth date with six digits after it, as eFeide advises for pupils who wait for a number; a
      birth date with five digits that are never issued (all alike, 12345, or beginning with 00 or 99); or an H-number;
    - ``encrypted``: long and without meaning, as PIFU's personNINencrypted;
    - ``miswritten``: meant as a number but is not one: wrong control digits, letters among digits, ``5,8E+09``;
    - ``local``: the system's own id.

    >>> read("058514-50027"), read('="5851450027"'), read("058514500271"), read("5,8E+09").kind, read("E1042").kind
    (Written(kind='number', value='05851450027'), Written(kind='number', value='05851450027'), \
Written(kind='provisional', value='058514500271'), 'miswritten', 'local')
    """
    if not text:
        return None
    if text.isascii() and text.isdigit():
        return _of_digits(text)
    bare = text if text.isascii() and text.isalnum() else _bare(text)
    if not bare:
        return None
    if _SCIENTIFIC.fullmatch(bare):
        return Written("miswritten", bare)
    no_fraction = _NO_FRACTION.match(bare)
    digits = no_fraction[1] if no_fraction else _BETWEEN_DIGITS.sub("", bare)
    if _ONLY_DIGITS.fullmatch(digits):
        return _of_digits(digits)
    if _UUID.fullmatch(bare):
        return Written("local", bare)
    if (local := _LIN.fullmatch(bare)) and (inner := read(local[1])):
        return inner if inner.kind == "number" else Written(inner.kind, bare)
    if _ENCRYPTED.fullmatch(bare):
        return Written("encrypted", bare)
    # A number with letters in it or words around it.
    if _TEN_DIGITS.search(digits) or (10 <= len(digits) <= 24 and sum(one in _DIGITS for one in digits) >= 8):
        return Written("miswritten", bare)
    return Written("local", bare)


def _bare(text: str) -> str:
    """Return a text with digits of any script as 0 to 9, and without blanks and what a spreadsheet adds."""
    bare = unicodedata.normalize("NFKC", text).strip().removeprefix("=").strip(_QUOTES)
    if bare.isascii():
        return "".join(bare.split())
    return "".join(_ascii(one) for one in bare if not one.isspace() and unicodedata.category(one) != "Cf")


class Told(NamedTuple):
    """A person's number according to a source. ``number`` is one that FREG can be asked about.

    Without it ``number_kind`` tells what the source has instead (``Meant``, or None for nothing). ``local_number`` is
    the system's own id, which may be shown.
    """

    number: str | None
    local_number: str | None
    number_kind: str | None


def told(
    number: str | None,
    local: str | None = None,
    *own: str | None,
    born: str | None = None,
    encrypted: bool = False,
) -> Told:
    """Return what to keep of a person's number, from a source's fields for the number, the local number and own ids.

    A number in the field for local numbers counts as the number. Text in the number's field that is not a number is
    ``miswritten``, or ``encrypted`` where the source says so. A lost zero is not put back if the number would then have
    another birth date than ``born`` (ISO 8601).

    >>> told("5851450027", None, "E1"), told(None, "5,8E+09", "E1"), told("ukjent", None, "E1").number_kind
    (Told(number='05851450027', local_number=None, number_kind=None), \
Told(number=None, local_number='E1', number_kind='miswritten'), 'miswritten')
    """
    first, second = read(number), read(local)
    for one, written in () if encrypted else ((first, number), (second, local)):
        if one and one.kind == "number" and not _of_another_day(one.value, written or "", born):
            return Told(one.value, second.value if second and second.kind == "local" else None, None)
    kind: str | None = None
    if first:
        kind = "encrypted" if encrypted else "miswritten" if first.kind in ("local", "number") else first.kind
    elif second and second.kind != "local":
        kind = "miswritten" if second.kind == "number" else second.kind
    # A provisional number is the kommune's own; a valid one is an H-number, which the health service issues.
    locals_ = (
        one.value
        for one in (second, *map(read, own))
        if one and (one.kind == "local" or (one.kind == "provisional" and not parse(one.value).valid))
    )
    return Told(None, next(locals_, None), kind)


def _of_another_day(number: str, written: str, born: str | None) -> bool:
    """Tell whether a number whose zero was put back has another birth date than ``born``."""
    if born is None or len(born) != 10 or number[0] != "0" or sum(_ascii(one) in _DIGITS for one in written) != 10:
        return False
    day, month, year = int(number[:2]) % 40, int(number[2:4]) % 40, number[4:6]
    return (f"{year}-{month:02}-{day:02}") != born[2:]


def _ascii(letter: str) -> str:
    """Return a digit of any script as 0 to 9, and any other character as it is."""
    value = unicodedata.decimal(letter, None)
    return letter if value is None else str(value)


def _of_digits(digits: str) -> Written:
    for number in (digits, f"0{digits}" if len(digits) == 10 else ""):
        found = parse(number)
        if found.valid:
            return Written("provisional" if found.kind == "hnummer" else "number", found.number)
    if len(digits) == 12 and "1970" <= digits[:4] <= "2099":
        return Written("duf", digits)
    twice = (at for at in range(1, len(digits)) if digits[at] == digits[at - 1])
    if len(digits) == 12 and any(parse(digits[:at] + digits[at + 1 :]).valid for at in twice):
        return Written("miswritten", digits)
    if len(digits) in (11, 12) and _is_date(digits[:6]) and (len(digits) == 12 or _given_to_nobody(digits[6:])):
        return Written("provisional", digits)
    if len(digits) == 14 and (_is_date(digits[:4] + digits[6:8]) or _is_date(digits[6:8] + digits[4:6] + digits[2:4])):
        return Written("provisional", digits)
    # Nine digits are an organisation number or a local id; fewer digits are a local id.
    return Written("miswritten" if len(digits) >= 10 else "local", digits)


def _is_date(text: str) -> bool:
    day, month, year = int(text[:2]), int(text[2:4]), int(text[4:6])
    return _date(2000 + year, month - 80 if month > 80 else month, day) is not None


def _given_to_nobody(five: str) -> bool:
    return len(set(five)) == 1 or five == "12345" or five.startswith(("00", "99"))


class Number(NamedTuple):
    """The contents of a national identity number.

    ``number`` is the text without blanks. The other fields are empty unless it is ``valid``. ``rule`` is the rule that
    the first control digit follows: ``1964``, or ``2032`` when only the rule of 2032 allows it (a number issued after
    2032 can follow both). ``birth_date`` is None where the digits do not tell the century.
    """

    number: str
    valid: bool
    kind: Kind | None = None
    synthetic: bool = False
    rule: Rule | None = None
    birth_date: date | None = None


def parse(text: str) -> Number:
    """Read a number: eleven digits, with blanks anywhere. Any other text is not valid."""
    number = "".join(text.split())
    if len(number) != 11 or not _DIGITS.issuperset(number):
        return Number(number, valid=False)
    digits = [_VALUES[digit] for digit in number]
    rest = (_weighted(digits, K1_WEIGHTS) + digits[9]) % 11
    if rest not in _NEW_K1_RESTS or (_weighted(digits, K2_WEIGHTS) + digits[10]) % 11:
        return Number(number, valid=False)

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
    # As in Skatteetaten's validator, every year is read as 20yy, so that 29 February of 00 is a date.
    if _date(2000 + year, month, day) is None:
        return Number(number, valid=False)

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

    Blanks and Feide's prefix ``NO`` are removed; the control digit must be right.
    """
    number = "".join(text.split()).upper().removeprefix("NO")
    if len(number) != 9 or not _DIGITS.issuperset(number):
        return None
    digits = [_VALUES[digit] for digit in number]
    return number if (_weighted(digits, ORGNR_WEIGHTS) + digits[8]) % 11 == 0 and any(digits) else None


def _weighted(digits: list[int], weights: tuple[int, ...]) -> int:
    return sum(map(mul, digits, weights))


def _date(year: int, month: int, day: int) -> date | None:
    try:
        return date(year, month, day)
    except ValueError:
        return None


def _century(year: int, individual: int) -> int | None:
    """Return the century of a fødselsnummer of the 1964 series; None outside them, where it may be of 2032."""
    if individual < 500:
        return 1900
    if year < 40:
        return 2000
    if individual < 750 and year >= 54:
        return 1800
    return 1900 if individual >= 900 else None


def _dnumber_century(year: int, individual: int) -> int | None:
    """Return the century of a D-number; None where the series of 1964 and the wider ones of 2021 disagree."""
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
