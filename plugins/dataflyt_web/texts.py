"""The pages' texts: ``texts.yaml`` has each in bokmål (nb), nynorsk (nn) and English (en).

Sentences that the rest of Dataflyt says (errors, the reasons of rules) are in bokmål in every language.
"""

from datetime import date, datetime
from functools import cache
from pathlib import Path

import yaml

from dataflyt.formats.dates import OSLO
from dataflyt.run.report import spaced

LANGUAGES = {"nb": "Bokmål", "nn": "Nynorsk", "en": "English"}
"""The languages by their tags, each under its own name. The first is the one to begin with."""


@cache
def catalogue() -> dict[str, dict[str, str]]:
    """Return the texts by key: ``overview.title`` is the text ``title`` of the page ``overview``."""
    pages = yaml.safe_load(Path(__file__).with_suffix(".yaml").read_text(encoding="utf-8"))
    return {f"{page}.{name}": text for page, texts in pages.items() for name, text in texts.items()}


class Texts:
    """The texts in one language, and times as that language writes them, in Norway's time."""

    def __init__(self, language: str) -> None:
        self.language = language if language in LANGUAGES else next(iter(LANGUAGES))

    def __call__(self, key: str, **values: object) -> str:
        """Return a text with its values in place. Raises KeyError for an unknown key."""
        text = catalogue()[key][self.language]
        return text.format(**values) if values else text

    def known(self, key: str, otherwise: str = "") -> str:
        """Return a text, or ``otherwise`` where the catalogue has none: for words that come from the data."""
        return self(key) if key in catalogue() else otherwise

    def day(self, day: date | datetime | None) -> str:
        """Return a day: ``søndag 6. desember 2026``."""
        if day is None:
            return "–"
        local = day.astimezone(OSLO) if isinstance(day, datetime) else day
        weekday, month = self("time.weekdays").split()[local.weekday()], self("time.months").split()[local.month - 1]
        return self("time.day", weekday=weekday, day=local.day, month=month, year=local.year)

    def moment(self, moment: datetime | None) -> str:
        """Return a moment: ``søndag 6. desember 2026 kl. 03.00``."""
        if moment is None:
            return "–"
        return self("time.moment", day=self.day(moment), hour=f"{moment.astimezone(OSLO):{self('time.hour')}}")

    def short(self, moment: datetime | None) -> str:
        """Return a moment as figures: ``06.12.2026 03.00``."""
        return "–" if moment is None else f"{moment.astimezone(OSLO):{self('time.short')}}"

    def ago(self, moment: datetime | None, now: datetime) -> str:
        """Return how long ago a moment was, in whole minutes, hours or days."""
        if moment is None:
            return "–"
        minutes = max(0, int((now - moment).total_seconds() // 60))
        for unit, size in (("days", 1440), ("hours", 60), ("minutes", 1)):
            if minutes >= size * (2 if unit == "days" else 1) or unit == "minutes":
                return self(f"time.{unit}_ago", count=minutes // size)
        raise AssertionError

    def spent(self, seconds: float) -> str:
        """Return how long something took: ``3 min 20 s``, and in less than ten seconds ``0,3 s``."""
        if seconds < 9.95:
            return f"{seconds:.1f} s".replace(".", self("time.decimal"))
        minutes, rest = divmod(round(seconds), 60)
        return f"{self.number(minutes)} min {rest} s" if minutes else f"{rest} s"

    @staticmethod
    def number(count: int | None) -> str:
        """Return a number with thin spaces between the thousands; a dash for none."""
        return "–" if count is None else spaced(count)
