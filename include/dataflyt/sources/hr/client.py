"""The HR system: land the newest file it has delivered.

Comes in: a folder and a file pattern. Goes out: ``hr-00001.xml``, the file as it was, and what it is a copy of.
When it fails: SourceUnavailable names the folder and the pattern, and is worth another try; ConfigError names two files
of which nobody can tell which is the newest.
"""

from datetime import datetime

from dataflyt.config.kommune import Newest
from dataflyt.storage.landing import AnyPath, Landing
from dataflyt.storage.newest_file import land_newest

PAGE = "hr-00001.xml"


def extract(
    folder: AnyPath,
    files_pattern: str,
    landing: Landing,
    *,
    newest: Newest | None = None,
    earlier: Landing | None = None,
    as_of: datetime | None = None,
    max_age_days: int | None = None,
) -> None:
    """Land the newest complete file, by ``newest`` where names or times are to decide.

    One that is landed already stands, one that ``earlier`` has is taken over.
    """
    land_newest(
        folder, files_pattern, landing, PAGE, by=newest, earlier=earlier, as_of=as_of, max_age_days=max_age_days
    )
