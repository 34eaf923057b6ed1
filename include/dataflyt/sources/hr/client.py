"""The HR system: land the newest file that it has delivered.

Comes in: a folder and a file pattern. Goes out: the page ``hr-00001``, which is the file unchanged, and the facts of
the original. When it fails: SourceUnavailable names the folder and the pattern, and is worth another try; ConfigError
names two files if it is in doubt which of them is the newest.
"""

from datetime import datetime

from dataflyt.config import formats
from dataflyt.config.connections import Outside
from dataflyt.config.kommune import HrSource
from dataflyt.storage.landing import Landing
from dataflyt.storage.newest_file import land_newest
from dataflyt.storage.pages import Page


def extract(
    config: HrSource,
    outside: Outside,
    landing: Landing,
    *,
    earlier: Landing | None = None,
    as_of: datetime | None = None,
    max_age_days: int | None = None,
) -> None:
    """Land the newest complete file, unless one is landed already. A file that ``earlier`` has is taken from there.

    The file may be ``max_age_days`` old at ``as_of``.
    """
    land_newest(
        outside.path(outside.connect(config.connection).url),
        config.files,
        landing,
        str(Page("hr", 1, formats.HR[config.format])),
        by=config.newest,
        earlier=earlier,
        as_of=as_of,
        max_age_days=max_age_days,
    )
