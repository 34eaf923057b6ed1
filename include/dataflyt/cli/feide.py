"""``dataflyt feide``: one value, or a whole directory, checked by Feide's rules; the changes between two directories.

``value`` reads a value of ``eduPersonEntitlement`` and prints JSON. ``check`` reads an LDIF file and prints one finding
a line, by Feide's own error names. ``changes`` writes what leads from one published directory to another. Exit codes: 0
nothing is wrong, 1 something is, 2 the file cannot be read.
"""

import json
from collections import Counter
from pathlib import Path
from typing import Annotated

import typer

from dataflyt.cli.changes import Out, write
from dataflyt.cli.norwegian import App
from dataflyt.cli.terminal import echo
from dataflyt.errors import Unreadable
from dataflyt.exports import feide_ldif_check
from dataflyt.formats import feide

feide_app = App(help="Hold verdier og kataloger opp mot reglene til Feide.")


@feide_app.command()
def value(
    text: Annotated[str, typer.Argument(metavar="VERDI", help="En verdi, som 'urn:mace:feide.no:go:group:…'.")],
) -> None:
    """Les en verdi av typen go:group, go:groupid eller go:grep, og skriv hva den er, som JSON.

    Feltene: `kind` (group, groupid, grep, other), `valid`, `errors`, `warnings` (våre, ikke Feides) og `groupid`
    (gruppe-id-en på kanonisk form, eller null). Returkoden er 1 når verdien ikke er gyldig.
    """
    read = feide.parse(text)
    answer = {
        "kind": read.kind,
        "valid": read.valid,
        "errors": read.errors,
        "warnings": read.warnings,
        "groupid": read.groupid,
    }
    echo(json.dumps(answer))
    raise typer.Exit(0 if read.valid else 1)


@feide_app.command()
def check(
    file: Annotated[Path, typer.Argument(metavar="FIL.ldif", help="En katalog som LDIF (RFC 2849).")],
) -> None:
    """List opp det LDAP-validatoren til Feide ville finne i en katalog.

    En linje for hvert funn: navnet Feide har på feilen, organisasjonsnummeret eller linjen i filen, og hva som er galt;
    til slutt en linje med summen. Ingen personopplysninger vises. Av Grep-koder kontrolleres bare formen: om en kode
    finnes, slås ikke opp. Returkoden er 1 når det er funn, 2 når filen ikke kan leses.
    """
    found: Counter[str] = Counter()
    try:
        for finding in feide_ldif_check.check(file):
            echo(str(finding))
            found[finding.name] += 1
    except Unreadable as unreadable:
        echo(unreadable.sentence, err=True)
        raise typer.Exit(2) from None
    if not found:
        echo("Ingen funn.")
        return
    echo(f"{found.total()} funn av {len(found)} slag." if found.total() > 1 else "1 funn.")
    raise typer.Exit(1)


@feide_app.command()
def changes(
    before: Annotated[Path, typer.Argument(metavar="FØR.ldif", help="Den publiserte filen katalogen følger nå.")],
    now: Annotated[Path, typer.Argument(metavar="NÅ.ldif", help="Den publiserte filen katalogen skal følge.")],
    out: Out,
) -> None:
    """Skriv endringene som fører en katalog fra én publisert feide.ldif til en annen.

    For den som ikke har hentet hver publisering: feide-changes.ldif fører bare fra den forrige. Filen lastes med
    `ldapmodify`. Returkoden er 2 når filene ikke er av samme katalog, eller ikke kan leses.
    """
    write(before, now, out, "feide_ldif")
