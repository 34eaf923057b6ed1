from datetime import date, timedelta

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from dataflyt.identity.numbers import K1_WEIGHTS, K2_WEIGHTS, orgnr, parse, read, told

FAST = settings(max_examples=300, deadline=None)
days = st.dates(date(1940, 1, 1), date(2039, 12, 31))


def control(nine: str, rest: int) -> str | None:
    """Eleven digits whose first control digit leaves ``rest``; None where one of the control digits would be 10."""
    digits = [int(digit) for digit in nine]
    k1 = (rest - sum(d * w for d, w in zip(digits, K1_WEIGHTS, strict=True))) % 11
    k2 = -sum(d * w for d, w in zip([*digits, k1], K2_WEIGHTS, strict=True)) % 11
    return None if 10 in (k1, k2) else f"{nine}{k1}{k2}"


@st.composite
def made(draw, *, day_more=0, month_more=(0, 80), rests=(0, 1, 2, 3)):
    """(number, born, month_more, rest): born in 1940-2039, individual digits as they were given out before 2032."""
    born, more, rest = draw(days), draw(st.sampled_from(month_more)), draw(st.sampled_from(rests))
    individual = draw(st.integers(0, 499) if born.year < 2000 else st.integers(500, 999))
    nine = f"{born.day + day_more:02}{born.month + more:02}{born:%y}{individual:03}"
    number = control(nine, rest)
    assume(number is not None)
    return number, born, more, rest


@FAST
@given(made(rests=(0,)))
def test_a_fodselsnummer_of_the_old_rule_tells_the_birth_date(case):
    number, born, more, _ = case
    found = parse(number)
    assert (found.valid, found.kind, found.rule) == (True, "fodselsnummer", "1964")
    assert found.birth_date == born
    assert found.synthetic is (more == 80)


@FAST
@given(made(rests=(1, 2, 3)))
def test_a_number_of_the_2032_rule_is_valid_and_does_not_tell_the_century(case):
    found = parse(case[0])
    assert (found.valid, found.rule, found.birth_date) == (True, "2032", None)


@FAST
@given(made(day_more=40))
def test_a_d_number_is_known_by_its_day_and_never_tells_a_wrong_century(case):
    number, born, more, rest = case
    found = parse(number)
    assert (found.valid, found.kind, found.synthetic) == (True, "dnummer", more == 80)
    assert found.rule == ("2032" if rest else "1964")
    assert found.birth_date in (born, None)


@FAST
@given(made(month_more=(40,)))
def test_an_h_number_is_known_by_its_month(case):
    found = parse(case[0])
    assert (found.valid, found.kind, found.synthetic, found.birth_date) == (True, "hnummer", False, None)


@FAST
@given(made(), st.integers(0, 10), st.integers(1, 9))
def test_any_single_wrong_digit_is_refused(case, place, shift):
    number = case[0]
    wrong = number[:place] + str((int(number[place]) + shift) % 10) + number[place + 1 :]
    assert not parse(wrong).valid, "the last control digit sees every single mistake"


@FAST
@given(made(), st.sampled_from(range(4, 11)))
def test_a_first_control_digit_that_no_rule_allows_is_refused(case, rest):
    number = control(case[0][:9], rest)
    assume(number is not None)
    assert not parse(number).valid


@FAST
@given(st.text(max_size=20))
def test_any_text_is_answered(text):
    found = parse(text)
    assert not found.valid or found.number.isdecimal()


@FAST
@given(st.integers(0, 10**11 - 1))
def test_what_is_valid_has_a_date_in_it(value):
    found = parse(f"{value:011}")
    if found.valid:
        assert found.kind in {"fodselsnummer", "dnummer", "hnummer"}
        assert found.rule in {"1964", "2032"}
    else:
        assert (found.kind, found.synthetic, found.rule, found.birth_date) == (None, False, None, None)


@pytest.mark.parametrize(
    ("number", "kind", "synthetic", "born"),
    [
        ("02013299997", "fodselsnummer", False, date(2032, 1, 2)),
        ("30108299920", "fodselsnummer", False, date(1982, 10, 30)),
        ("15831499815", "fodselsnummer", True, date(2014, 3, 15)),
        ("41814061033", "dnummer", True, date(1940, 1, 1)),
        ("41810021827", "dnummer", True, None),
    ],
)
def test_published_numbers_are_read_right(number, kind, synthetic, born):
    found = parse(number)
    assert (found.valid, found.kind, found.synthetic, found.birth_date) == (True, kind, synthetic, born)


def some_number(prefix: str, individuals: range, rest: int = 0) -> str:
    return next(n for i in individuals if (n := control(f"{prefix}{i:03}", rest)))


def test_29_february_is_a_date_only_in_leap_years():
    assert parse(some_number("298204", range(500, 999))).birth_date == date(2004, 2, 29)
    assert not parse(some_number("298205", range(500, 999))).valid
    assert parse(some_number("298200", range(500, 999))).birth_date == date(2000, 2, 29)
    of_1900 = parse(some_number("298200", range(500)))
    assert of_1900.valid, "a year of two digits is taken as 20yy, as Skatteetaten's own validator does"
    assert of_1900.birth_date is None, "but 1900 had no 29 February"
    assert parse(some_number("298296", range(499), rest=2)).valid
    assert parse(some_number("698204", range(500, 999))).kind == "dnummer"


@pytest.mark.parametrize(
    "prefix", ["008104", "328104", "300204", "310404", "011304", "010004", "012104", "016504", "720104"]
)
def test_a_day_or_month_that_does_not_exist_is_refused(prefix):
    assert not parse(some_number(prefix, range(1000))).valid


def test_the_wider_d_number_series_leave_the_century_open():
    assert parse(some_number("418110", range(200, 499))).birth_date is None, "1910 by the old series, 2010 by the new"
    assert parse(some_number("418110", range(199))).birth_date == date(1910, 1, 1)
    assert parse(some_number("418110", range(500, 999))).birth_date == date(2010, 1, 1)
    assert parse(some_number("418170", range(600, 700))).birth_date is None
    assert parse(some_number("418170", range(499))).birth_date == date(1970, 1, 1)


def test_blanks_are_passed_over_and_other_digits_refused():
    assert parse(" 158314 99815\u00a0").valid
    assert not parse("158314998l5").valid
    assert not parse("١٥٨٣١٤٩٩٨١٥").valid
    assert not parse("").valid


def test_every_day_of_a_year_has_numbers():
    for offset in range(365):
        born = date(2015, 1, 1) + timedelta(offset)
        assert parse(some_number(f"{born.day:02}{born.month + 80:02}15", range(500, 999))).birth_date == born


def test_organisation_numbers():
    assert orgnr("971 032 146") == orgnr("NO971032146") == "971032146"
    assert orgnr("971032147") is None
    assert orgnr("97103214") is None
    assert orgnr("") is None
    assert orgnr("000000000") is None
    valid = [n for n in (f"{value}" for value in range(810000000, 810001000)) if orgnr(n)]
    assert 80 < len(valid) < 100, "one in eleven, less those whose control digit would be 10"


NUMBERS = [number for at in range(60_000) if parse(number := f"058514{at:05d}").valid]
"""Synthetic numbers of one birth date. All begin with a zero."""


def excel(number: str) -> list[str]:
    bare = number.lstrip("0")
    return [
        *(
            number,
            f" {number} ",
            f"{number[:6]} {number[6:]}",
            f"{number[:6]}-{number[6:]}",
            f"'{number}",
            f'="{number}"',
        ),
        *(f'"{number}"', f"{number[:6]}\N{NO-BREAK SPACE}{number[6:]}", f"{number}\N{ZERO WIDTH SPACE}", f"{number}.0"),
        *(f"{number[:2]}.{number[2:4]}.{number[4:6]}.{number[6:]}", f"{number[:6]}\N{EN DASH}{number[6:]}"),
        *(
            bare,
            f"{bare}.0",
            f"{bare},00",
            f"'{bare}",
            f"{bare[:5]} {bare[5:]}",
            f"\N{LEFT SINGLE QUOTATION MARK}{number}",
        ),
    ]


@given(st.sampled_from(NUMBERS), st.data())
def test_a_number_is_one_however_it_is_written(number, data):
    written = data.draw(st.sampled_from(excel(number)))
    assert read(written) == ("number", number)
    assert told(written, None, "E1") == told(None, written, "E1") == (number, None, None)


@pytest.mark.parametrize(
    ("written", "kind"),
    [
        *((text, "duf") for text in ("201512345678", "2015 1234 5678", "198012345678")),
        *((text, "provisional") for text in ("058514123456", "05851400000", "05851499999", "05851411111")),
        *((text, "provisional") for text in ("20140505123456", "05052014123456", "05451400020")),
        *((text, "miswritten") for text in ("5,8E+09", "5.85E+09", "5.851450027E+09", "5E9", "05851450028")),
        *((text, "miswritten") for text in ("058514500277", "urn:no:haugesund:fnr:05851450027")),
        ("elev05851450027@haugesund.kommune.no", "miswritten"),
        *((text, "miswritten") for text in ("0585145002O", "O5851450027", "05851450027x", "fnr 05851450027")),
        *((text, "miswritten") for text in ("058514500270000", "99999999999", "5851450028", "0000000000")),
        *((text, "encrypted") for text in ("aGVtbWVsaWc=", "q83vEjRWeJCrze8SNFZ4kA==", "0a" * 32)),
        *((text, "local") for text in ("E1042", "100234", "123456789", "3fa85f64-5717-4562-b3fc-2c963f66afa6", "-")),
    ],
)
def test_what_is_no_number_is_told_apart(written, kind):
    assert read(written).kind == kind
    assert told(None, written, "E1").number is None
    assert told(written, None, "E1").number is None
    local = told(None, written, None).local_number
    assert local in ((written,) if kind == "local" else (None, written) if kind == "provisional" else (None,))


def test_a_number_is_one_in_the_digits_of_any_script_and_behind_feides_prefix():
    assert read("٠٥٨٥١٤٥٠٠٢٧") == read("haugesund.kommune.no:localnin:05851450027") == ("number", "05851450027")
    given = "haugesund.kommune.no:localnin:150820000001"
    assert told(None, given, "E1") == (None, given, "provisional")


@pytest.mark.parametrize(
    ("born", "number"), [("2014-05-05", "05851450027"), (None, "05851450027"), ("2018-05-05", None)]
)
def test_a_lost_zero_is_not_put_back_where_somebody_was_born_another_day(born, number):
    for said in (told("5851450027", None, "E1", born=born), told(None, "5851450027", "E1", born=born)):
        assert (said.number, said.number_kind) == (number, None if number else "miswritten")
    assert told("05851450027", born=born).number == "05851450027"


def test_nothing_is_nothing():
    for empty in (None, "", "  ", '=""', "'", "\N{ZERO WIDTH SPACE}"):
        assert read(empty) is None
        assert told(empty, None, "E1") == (None, "E1", None)


@given(st.text(max_size=30))
def test_whatever_is_taken_for_a_number_has_its_control_digits(text):
    found = read(text)
    if found and found.kind == "number":
        assert parse(found.value).valid
        assert parse(found.value).kind != "hnummer"
    said = told(text, text, text)
    assert said.number is None or parse(said.number).valid
    assert said.local_number is None or read(said.local_number).kind in ("local", "provisional")
    assert said.local_number is None or not parse(said.local_number).valid
