"""Misread letters: the meaning of bytes 80-9F, and a pattern that tells a garbled name from a foreign one.

In: text of files that others made. Out: ``WINDOWS_1252``, a table that translates text decoded as ISO-8859-1, and
``GARBLED``, a pattern that finds a name decoded in the wrong encoding. Both PostgreSQL and Python read the pattern. No
rule can tell every garbled name from every real one. A sign that may be an apostrophe passes (``D’HLI`` may be DÆHLI in
code page 865, and ``D’HONDT`` is a name).

Source: WHATWG, Encoding Standard, for files that say they are ISO-8859-1; Python's own tables for the code pages.
"""

WINDOWS_1252 = {
    byte: letter for byte in range(0x80, 0xA0) if (letter := bytes([byte]).decode("windows-1252", "ignore"))
}
"""The letter for each byte 80-9F, by code point. Five of these bytes stand for nothing and are left out."""

_LOWER = "a-zß-öø-ÿ"
_LETTER = "A-Za-zÀ-ÖØ-öø-ɏḀ-ỿ"
_CONSONANTS = "BCDFGJKLMNPQRSTVWXZ"
_SMALL = _CONSONANTS.lower()
_SIGNS = "\u0080-\u009f€‚ƒ„†‡ˆ‰Š‹ŒŽ˜™š›œžŸ¡-¬®-³µ¶¸-º¼-¿"
"""Bytes 80-BF as ISO-8859-1 and windows-1252 have them, less quotation marks, dashes and the like."""

_KINDS = (
    "[\u0080-\u009f\ufffd\ue000-\uf8ff]",  # no letters at all
    # UTF-8 read as ISO-8859-1 or windows-1252: its first byte has become a letter, the next ones signs.
    f"Ã[{_SIGNS}…‘’“”•–—\u00ad´·»]",
    "ã[¥˜]",  # the same in small letters
    f"[ÄÅ][{_SIGNS}]",  # Sámi, Polish
    "Ä‘",  # đ
    "Â[\u00a0-¿]",
    "Ì[Šˆ]",  # a ring or two dots without a letter
    f"â€|ï¿½|ï»¿|á[º»][{_SIGNS}…]",
    f"[{_LETTER}][¸¦]",  # as windows-1250 and its like have it
    "√[^ 0-9A-Za-z]|[├┬┼][^ ]",  # as Mac Roman and code pages 437, 850 and 865 have it
    # Code pages 850 and 865 read as windows-1252; Ø and Å are no letters there.
    f"[{_LETTER}]›|›[{_LOWER}]",  # ø
    f"[{_LETTER}]†|†[{_LOWER}]",  # å
    f"[{_LETTER}][‡„‚™][{_LETTER}]",
    # Their æ becomes an opening quotation mark, their Æ an apostrophe: garbled where no name has such a sign.
    f"[bcfjpqrstvwxzBCFJPQRSTVWXZ]‘[{_SMALL}]|[klmnKLMN]‘[lrsv]|[dD]‘[hlrv]",
    f"(^|[\\s-])’([bcdfgjklmnpqrsvwxz][{_LOWER}]|[{_CONSONANTS}][A-ZÆØÅ])[^’]*$",
    f"([BFJPRSVW]|[A-ZÆØÅ][KMT]|[BFGKPS][LN])’[{_CONSONANTS}]|(^|[\\s-])(L’[{_CONSONANTS}]|N’(R|SS))",
    # Mac Roman read as windows-1252; Å is no letter there.
    f"[{_LETTER}]¿",  # ø
    f"[{_LETTER}][¯¾]|[¯¾][{_LETTER}]",  # Ø, æ
    f"(^|[\\s-])®[{_LETTER}]|[{_LETTER}]®[{_LETTER}]",  # Æ
    f"[{_LETTER}]Œ[{_LOWER}]|[{_LOWER}]Œ",  # å
    # ISO-8859-1 read as Mac Roman or as a code page, where no letter stands for a letter.
    f"[{_LETTER}][∆≈]|[∆≈][{_LETTER}]|[{_LETTER}][µ°][{_LETTER}]|[═-╬]",
    # Letters that a program could not hold, or encoded for a web page.
    f"[{_LETTER}]\\?[{_LETTER}]",
    "&(#[0-9]+|#x[0-9A-Fa-f]+|(ae|AE)lig|[Oo]slash|[Aa]ring);",
)

GARBLED = "|".join(_KINDS)
"""A match anywhere in a name means that its letters were written in one encoding and read in another."""

SUSPECT = "[^ !-%'->@-~ÆØÅæøå]"
"""A sign that every text has which ``GARBLED`` matches, and few others: it is searched for much faster."""
