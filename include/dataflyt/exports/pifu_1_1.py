"""PIFU-IMS SAS 1.1, for a receiver that reads no newer version: ``pifu`` without what 1.1 has no word for."""

from functools import partial
from typing import Final

from dataflyt.exports import pifu_changes, pifu_changes_check
from dataflyt.exports.model import Changes, Export
from dataflyt.exports.pifu import write
from dataflyt.exports.pifu_check import check
from dataflyt.exports.pifu_read import read

EXPORT: Final = Export(
    name="pifu_1_1",
    file="pifu-1.1.xml",
    write=partial(write, version="1.1", export="pifu_1_1"),
    check=partial(check, version="1.1"),
    read=read,
    changes=Changes(
        "pifu-1.1-changes.xml",
        pifu_changes.write,
        partial(pifu_changes_check.check, version="1.1"),
        pifu_changes.named,
    ),
)
