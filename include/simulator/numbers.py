"""Synthetic identity numbers and organisation numbers with right control digits.

Source: Skatteetaten, Folkeregisteret API documentation: "Test for konsumenter" (month + 80) and "Nytt fødselsnummer fra
2032" (control digits). Organisation numbers: Brønnøysundregistrene, modulus 11 with the weights 3 2 7 6 5 4 3 2.
"""

from datetime import date

_K1 = (3, 7, 6, 1, 8, 9, 4, 5, 2)
_K2 = (5, 4, 3, 2, 7, 6, 5, 4, 3, 2)
_ORG = (3, 2, 7, 6, 5, 4, 3, 2)


def _sum(digits: str, weights: tuple[int, ...]) -> int:
    return sum(int(digit) * weight for digit, weight in zip(digits, weights, strict=True))


def with_control(nine: str, rest: int = 0) -> str | None:
    """Nine digits to a whole number, or None if these nine digits have none.

    ``rest`` 0 is the rule of 1964; 1, 2 and 3 are the further values that numbers issued from 2032 may have.
    """
    k1 = (rest - _sum(nine, _K1)) % 11
    if k1 == 10:
        return None
    k2 = -_sum(f"{nine}{k1}", _K2) % 11
    return None if k2 == 10 else f"{nine}{k1}{k2}"


def rest_of(number: str) -> int | None:
    """0 for the rule of 1964, 1 to 3 for the rule of 2032, None for a number with wrong control digits."""
    if (
        len(number) != 11
        or not number.isascii()
        or not number.isdigit()
        or _sum(number[:10], _K2) % 11 != -int(number[10]) % 11
    ):
        return None
    rest = (_sum(number[:9], _K1) + int(number[9])) % 11
    return rest if rest <= 3 else None


def organisation(eight: str) -> str:
    """Eight digits to an organisation number; ValueError when these eight have no control digit."""
    control = -_sum(eight, _ORG) % 11
    if control == 10:
        raise ValueError(f"{eight} has no control digit")
    return f"{eight}{control}"


SHARES = 4


class Issuer:
    """Hands out numbers, each once.

    With a ``share`` (0 to ``SHARES`` - 1) it uses only that part of the individual digits. Issuers of different shares
    therefore never hand out the same number, and each hands out the same numbers with or without the others.
    """

    def __init__(self, share: int | None = None) -> None:
        self._issued: set[str] = set()
        self._share = share

    def issue(self, born: date, sex: str, start: int, *, dnummer: bool = False, rule: int = 1964) -> str:
        """Make a new synthetic number for a person ``born`` then.

        ``start`` (any number) is the place in the series to begin at. By the rule of 1964 the third individual digit is
        odd for ``mann`` and the series tells the century. By the rule of 2032 neither holds, and the digit is made to
        disagree on purpose.
        """
        low, high = (500, 1000) if born.year >= 2000 else (0, 500)
        stem = f"{born.day + 40 * dnummer:02d}{born.month + 80:02d}{born.year % 100:02d}"
        odd = (sex == "mann") == (rule == 1964)
        for step in range(high - low):
            individual = low + (start - low + step) % (high - low)
            if individual % 2 != odd or (self._share is not None and individual // 2 % SHARES != self._share):
                continue
            number = with_control(f"{stem}{individual:03d}", 0 if rule == 1964 else 1 + start % 3)
            if number and number not in self._issued:
                self._issued.add(number)
                return number
        raise ValueError(f"no number left for {born}")


class Series:
    """The numbers of a share in order of day, sex and rank, by arithmetic: no record is kept of the numbers in use.

    The date decides which individual digits have control digits, but only through two sums modulo 11: there are 121
    cases. Every day has at least ``RANKS`` numbers for each sex, D-numbers as many again.
    """

    RANKS = 40

    def __init__(self, share: int) -> None:
        self._share = share
        self._known: dict[tuple[int, int, int, bool], tuple[int, ...]] = {}

    def issue(self, born: date, sex: str, start: int, *, dnummer: bool = False, rule: int = 1964) -> str:
        """Return the number of rank ``start``, 1 to ``RANKS``; by the rule of 1964 only."""
        if rule != 1964:
            raise ValueError("a series goes by the rule of 1964")
        stem = f"{born.day + 40 * dnummer:02d}{born.month + 80:02d}{born.year % 100:02d}"
        individual = self._individuals(stem, 500 if born.year >= 2000 else 0, sex == "mann")[start - 1]
        number = with_control(f"{stem}{individual:03d}")
        if number is None:
            raise AssertionError("only those with control digits are listed")
        return number

    def place(self, number: str) -> tuple[date, str, int] | None:
        """Return the birth date, sex and rank of a number of this share; None for any other number."""
        if rest_of(number) != 0:
            return None
        day, month, individual = int(number[:2]), int(number[2:4]), int(number[6:9])
        low = 500 if individual >= 500 else 0
        try:
            born = date(int(number[4:6]) + (2000 if low else 1900), month - 80, day - 40 * (day > 40))
        except ValueError:
            return None
        numbers = self._individuals(number[:6], low, bool(individual % 2))
        if individual not in numbers:
            return None
        return born, "mann" if individual % 2 else "kvinne", numbers.index(individual) + 1

    def _individuals(self, stem: str, low: int, odd: bool) -> tuple[int, ...]:
        key = (_sum(stem, _K1[:6]) % 11, _sum(stem, _K2[:6]) % 11, low, odd)
        if key not in self._known:
            self._known[key] = tuple(
                individual
                for individual in range(low + odd, low + 500, 2)
                if individual // 2 % SHARES == self._share and with_control(f"{stem}{individual:03d}")
            )
        return self._known[key]
