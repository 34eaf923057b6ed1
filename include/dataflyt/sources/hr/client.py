"""The HR system: land the newest file it has delivered.

Comes in: a folder and a file pattern. Goes out: ``hr-00001.xml``, the file as it was.
When it fails: SourceUnavailable names the folder and the pattern, and is worth another try.
"""

from dataflyt.landing import AnyPath, Landing, land_newest


def extract(folder: AnyPath, files_pattern: str, landing: Landing) -> None:
    """Land the newest complete file; one that is landed already stands."""
    land_newest(folder, files_pattern, landing, "hr-00001.xml")
