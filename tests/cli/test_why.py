"""``dataflyt why``: one answer as text, as JSON, and as what may be read aloud; and who asks, and why, in the audit."""

import json

import pytest

from dataflyt.cli import why
from tests.cli.test_show import AS, audited, here, said
from tests.installation.fixtures import Installation

__all__ = ["here"]


@pytest.mark.after_first_run
def test_an_operator_asks_why_and_gets_the_cause_the_corrector_the_day_and_the_words_for_the_caller(
    here: Installation,
) -> None:
    man = here.registers.person("stepfather")
    baug = next(one.person for one in here.registers.world.pupils if "seed_baug" in one.cases)
    assert baug
    asked = ("why", "access", "1106", man.number, f"{baug.given} {baug.family} {baug.born}")
    father = here.registers.person("seed_father")
    for example in (f"{father.given} {father.family} {father.born}", f"{man.given} {man.family} {man.born}", "konbau"):
        assert example in str(why.access.__doc__) + str(why.stepfather.__doc__), "the examples work in the demo"
    refused = said(*asked)
    assert (refused.exit_code, refused.stdout) == (2, "")
    assert "--as" in refused.stderr

    whole = said(*asked, *AS)
    assert whole.exit_code == 0, whole.output
    for part in (
        "Hvorfor ser (ikke) den foresatte dette barnet? (Konkurransedyktig Baug)",
        "✓ Eleven går ved Skåredalen skole.  [Skolesystemet]",
        "✗ Folkeregisteret har ikke oppgitt foreldreansvar",
        "Retter: Den foresatte, hos Folkeregisteret. Hvor: Folkeregisteret, hos Skatteetaten.",
        "Når det er rettet, vises det ved neste kjøring, søndag",
        "Til den som ringer:\nVi klarte ikke å finne noen barn knyttet til deg.",
    ):
        assert part in whole.stdout
    assert man.number not in whole.stdout
    assert audited(here) == [("101", "why", "Feilsøking")]

    caller = said(*asked, *AS, "--caller").stdout
    assert caller.startswith("Vi klarte ikke å finne noen barn knyttet til deg.")
    assert whole.stdout.endswith(caller)
    as_json = json.loads(said(*asked, *AS, "--json").stdout)
    assert as_json["verdict"]["causes"] == ["no_foreldreansvar"]
    assert as_json["caller"] == caller.strip()
    assert "Corrected by: The guardian" in said(*asked, *AS, "--language", "en").stdout
    assert "Rettar: Den føresette" in said(*asked, *AS, "--language", "nn").stdout
    assert "Språket «xx» finnes ikke" in said(*asked, *AS, "--language", "xx").stderr

    for words in (
        ("resources", "haugesund", baug.number, "--group", "SKA/MAT-6A/2026"),
        ("group", "haugesund", "SKA/MAT-6A/2026"),
    ):
        assert "✗ Faggruppen har ikke timeplan" in said("why", *words, *AS).stdout
    assert "minprofil.kontaktregisteret.no" in said("why", "field", "haugesund", man.number, "telefon", *AS).stdout
    for words in (
        ("missing", "haugesund", baug.number),
        ("row", "haugesund", baug.number),
        ("envelope", "haugesund", man.number),
        ("teacher", "haugesund", man.number),
        ("changed", "haugesund", man.number, baug.number),
        ("stepfather", "haugesund", man.number, baug.number),
    ):
        assert said("why", *words, *AS).exit_code == 0, words
