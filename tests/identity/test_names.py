import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataflyt.identity.names import ascii_fold, clean, user_name_part


@pytest.mark.parametrize(
    ("name", "folded"),
    [
        ("Bjørn Åge Sæther", "Bjoern Aage Saether"),
        ("Máret Ánne Čállá Đižžo Ŋŋ Ŧŧ Šš", "Maret Anne Calla Dizzo Nn Tt Ss"),
        ("Groß Müller Jörg", "Gross Mueller Joerg"),
        ("ÆØÅ", "AeOeAa"),
        ("Łukasz Żółć", "Lukasz Zolc"),
        ("Ǿrsted Ǯ ʒ", "Oersted Z z"),
        ("Þór Guðmundsdóttir", "Thor Gudmundsdottir"),
        ("Anne-Marie O'Neill", "Anne-Marie O'Neill"),
        ("李", ""),
    ],
)
def test_user_names_get_the_letters_people_expect(name, folded):
    assert ascii_fold(name) == folded
    assert ascii_fold(unicodedata.normalize("NFD", name)) == folded


def test_a_user_name_holds_only_small_letters_and_digits():
    assert user_name_part("Anne-Marie Ødegård 2") == "annemarieoedegaard2"


def test_names_are_cleaned_of_what_nobody_sees():
    assert clean("  Ola\u200b \u00a0 Nord\u00admann\t\n") == "Ola Nordmann"
    assert clean("A\u030ase") == "Åse"
    assert clean("\u2067Ola\u2069 \u061cNordmann") == "Ola Nordmann", "letters that turn the direction of a text"


@settings(max_examples=300, deadline=None)
@given(st.text())
def test_any_text_can_be_cleaned_and_folded(text):
    assert clean(clean(text)) == clean(text)
    assert "  " not in clean(text)
    assert ascii_fold(text).isascii()
    assert all(letter in "abcdefghijklmnopqrstuvwxyz0123456789" for letter in user_name_part(text))
