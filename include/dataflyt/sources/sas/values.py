"""The common parts of the school system's readers: organisation numbers, Grep codes and year levels."""

import re
from typing import Final

SUBROLES: Final = {
    "02": ("faglærer", "lærerstudent", "vikar"),
    "04": (
        *("rådgiver", "kontormedarbeider", "skolehelsetjeneste", "skolebibliotekar", "vaktmester", "renholdsarbeider"),
        *("foresattrepresentant", "sosiallærer", "sensor", "pptansatt"),
    ),
    "05": ("rektor", "inspektør"),
    "07": ("iktansvarlig",),
}
"""PIFU-IMS 1.3's subroles of each role type. The letters from Vigo, of upper secondary school, are not among them."""
STAFF_ROLES: Final = {"skoleledelse": "05", "administrator": "07", "assistent": "08"}
"""PIFU-IMS 1.3's words for the role types of staff, besides 04 (others)."""


def nine_digits(value: str | None) -> str | None:
    """Remove the blanks and the ``NO`` that some systems write around an organisation number."""
    bare = "".join((value or "").split()).upper().removeprefix("NO")
    return bare if len(bare) == 9 and bare.isdecimal() else value


_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_CODE_AT_END = re.compile(r"/kl06/(?:v\d+/[a-z0-9-]+/)?([A-Z]{3}\d{2,4})$")


def grep_codes(code: str | None, long: str | None) -> tuple[str | None, str | None]:
    """Return the short code and the long form, with ``uuid:`` once: some systems write it never or twice."""
    if long is None:
        return code, None
    bare = long
    while bare.lower().startswith("uuid:"):
        bare = bare[5:].strip()
    if bare != long or _UUID.fullmatch(bare):
        return code, f"uuid:{bare}" if bare else None
    if long.lower().startswith(("http:", "https:")):
        at_end = _CODE_AT_END.search(long)
        return code or (at_end[1] if at_end else None), long
    return code or long, None


_YEAR_LEVEL = re.compile(r"(?:^|/)(?:(?:aarstrinn|årstrinn)?(\d{1,2})(?:\. ?(?:års)?trinn)?|vg([123]))$", re.IGNORECASE)


def year_level_in(*texts_with_it: str | None) -> int | None:
    """Return 1-13 from the first text with a year level: ``…/aarstrinn7``, ``7``, ``7. årstrinn`` or ``…/vg1`` (11)."""
    for value in texts_with_it:
        found = _YEAR_LEVEL.search(value or "")
        if found:
            level = int(found[1]) if found[1] else 10 + int(found[2])
            if 1 <= level <= 13:
                return level
    return None
