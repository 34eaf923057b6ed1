"""The school administration system: land the newest files it has delivered.

Comes in: a folder, and the patterns of the PIFU file and of the timetable (None: there is none). Goes out:
``pifu-00001.xml`` and ``timetable-00001.csv``, the files as they were.
When it fails: SourceUnavailable names the folder and the pattern, and is worth another try.
"""

from dataflyt.landing import AnyPath, Landing, land_newest


def extract(folder: AnyPath, files_pattern: str, timetable_pattern: str | None, landing: Landing) -> None:
    """Land the newest complete file of each kind; one that is landed already stands."""
    land_newest(folder, files_pattern, landing, "pifu-00001.xml")
    if timetable_pattern:
        land_newest(folder, timetable_pattern, landing, "timetable-00001.csv")
