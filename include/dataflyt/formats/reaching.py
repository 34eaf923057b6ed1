"""E-mail addresses and mobile numbers as other systems take them."""

import re

KRR_MAIL = r"^[^@\s]+@[^@\s]+\.[^@\s.]+$"
KRR_MOBILE = r"^\+?\d{8,15}$"
"""The forms of what reaches somebody, as KRR has it, for PostgreSQL: anything else is a malformed address."""
_MAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s.]+")
_MOBILE = re.compile(r"\+[0-9]{8,15}")
_NORWEGIAN_MOBILE = re.compile(r"[49][0-9]{7}")


def mail(value: str) -> str | None:
    """Return an address without blanks around it; None for a text that is none.

    >>> mail(" Ola@example.com "), mail("ola")
    ('Ola@example.com', None)
    """
    bare = value.strip()
    return bare if len(bare) <= 256 and bare.isprintable() and _MAIL.fullmatch(bare) else None


def mobile(value: str) -> str | None:
    """Return the number with its country code (E.164). KRR gives +47; eight digits are assumed to be Norwegian.

    >>> mobile("41 00 17 01"), mobile("+46 70 123 45 67"), mobile("123")
    ('+4741001701', '+46701234567', None)
    """
    bare = "".join(value.split())
    bare = f"+47{bare}" if _NORWEGIAN_MOBILE.fullmatch(bare) else bare
    return bare if _MOBILE.fullmatch(bare) else None
