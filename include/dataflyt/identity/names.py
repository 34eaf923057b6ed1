"""Names of people: cleaned, in ASCII for user names, and FEIDE names as other systems write them."""

import re
import unicodedata

_USER_NAME = re.compile(r"[^\W_][\w.+'-]{0,63}")
_UNSEEN = re.compile(
    r"[\u0000-\u0008\u000e-\u001f\u007f-\u0084\u0086-\u009f\u00ad\u061c\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff]"
)
_FOLDED = str.maketrans(
    {
        "æ": "ae",
        "ä": "ae",
        "ø": "oe",
        "ö": "oe",
        "œ": "oe",
        "å": "aa",
        "ü": "ue",
        "ß": "ss",
        "ẞ": "SS",
        "đ": "d",
        "ð": "d",
        "ŋ": "n",
        "ŧ": "t",
        "þ": "th",
        "ł": "l",
        "ı": "i",
        "ħ": "h",
        "ĸ": "k",
        "ʒ": "z",
        "ǥ": "g",
        "Æ": "Ae",
        "Ä": "Ae",
        "Ø": "Oe",
        "Ö": "Oe",
        "Œ": "Oe",
        "Å": "Aa",
        "Ü": "Ue",
        "Đ": "D",
        "Ð": "D",
        "Ŋ": "N",
        "Ŧ": "T",
        "Þ": "Th",
        "Ł": "L",
        "Ħ": "H",
        "Ʒ": "Z",
        "Ǥ": "G",
    }
)


def clean(text: str) -> str:
    """Return the name in Unicode NFC: no invisible characters, single blanks between words, no blanks at the ends."""
    if not text.isprintable():  # all of them are unprintable, and few names have any
        text = _UNSEEN.sub("", text)
    return " ".join(unicodedata.normalize("NFC", text).split())


def ascii_fold(text: str) -> str:
    """Return the name in ASCII letters: æ ae, ø oe, å aa, ß ss, the Sami đ d, ŋ n, ŧ t; other accents are dropped.

    Letters without a Latin counterpart are left out, so the result can be empty.
    """
    folded = clean(text).translate(_FOLDED)
    # Translated twice: some letters (ǯ, ǿ) are a letter of the table with an accent, which NFKD takes off.
    bare = "".join(letter for letter in unicodedata.normalize("NFKD", folded) if not unicodedata.combining(letter))
    return "".join(letter for letter in bare.translate(_FOLDED) if letter.isascii())


def user_name_part(text: str) -> str:
    """Return the name as part of a user name: only a-z and 0-9; may be empty."""
    return re.sub(r"[^a-z0-9]", "", ascii_fold(text).lower())


def feide_name(text: str, realm: str) -> str | None:
    """Return the name of a FEIDE account as directories compare it: lower case, Unicode NFKC, without ``@realm``.

    Return None for a text that is not a name (empty, with blanks, longer than 64 letters) and for a name of another
    realm. A name consists of letters and digits of any language; from its second character it may also have
    ``. _ + - '``. Feide does not say which characters it takes.

    >>> feide_name("KariNor@Haugesund.kommune.no", "haugesund.kommune.no")
    'karinor'
    """
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).lower()).strip()
    name, at, domain = folded.partition("@")
    if at and domain != realm.lower():
        return None
    return name if _USER_NAME.fullmatch(name) else None
