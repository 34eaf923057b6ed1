"""The record of processing says what the readers keep and what the exports write, and nothing else."""

import re

import pytest

from dataflyt.config.exports import EXPORTS
from dataflyt.decisions.kinds import KINDS
from dataflyt.records import titles
from dataflyt.records.fields import EXPORTED, FIELDS, PURPOSES, RECIPIENTS
from dataflyt.warehouse import actions
from dataflyt.warehouse.tables import source_tables
from tests.installation.fixtures import Installation


def test_every_column_of_every_source_has_one_purpose_and_none_is_listed_that_is_not_kept() -> None:
    assert {name: sorted(columns) for name, columns in FIELDS.items()} == {
        name: sorted(table.columns) for name, table in source_tables().items()
    }
    used = {purpose for columns in FIELDS.values() for purpose in columns.values()}
    assert used == set(PURPOSES)


def test_every_table_and_field_has_a_norwegian_name_and_so_has_every_decision() -> None:
    assert set(titles.TABLES) == set(FIELDS)
    assert {column for columns in FIELDS.values() for column in columns} <= titles.FIELDS.keys()
    assert set(actions.DECISIONS) == set(KINDS)
    assert titles.field("foedselsEllerDNummer") == "fødselsnummer eller D-nummer (foedselsEllerDNummer)"


def test_every_export_has_its_fields_and_recipients() -> None:
    assert set(EXPORTED) == set(EXPORTS) == set(RECIPIENTS)


@pytest.mark.after_first_run
def test_every_field_of_a_person_that_the_files_hold_is_listed(installation: Installation) -> None:
    people = installation.ldif().split("dn: uid=", 1)[1]
    written = {name for name in re.findall(r"^([A-Za-z]+)::? ", people, re.MULTILINE) if name != "dn"}
    written -= {"objectClass"}
    assert written - EXPORTED["feide_ldif"].keys() == set()
    assert EXPORTED["feide_ldif"].keys() - written <= {"mobile", "norEduPersonLIN"}

    exports = installation.storage / "exports" / "haugesund"
    (pifu,) = [file for file in exports.rglob("*.xml") if file.is_file()]
    text = pifu.read_text(encoding="utf-8")
    person = "".join(re.findall(r"<person>.*?</person>", text, re.DOTALL))
    structure = {"person", "source", "id", "name", "n", "demographics", "extension", "userid"}
    elements = set(re.findall(r"<([A-Za-z_]+)[ >]", person)) - structure
    elements |= set(re.findall(r'useridtype="([A-Za-z]+)"', person))
    assert elements - EXPORTED["pifu"].keys() == set()
    assert EXPORTED["pifu"].keys() - elements <= {"role", "personLIN"}
