"""``dataflyt feide``: one value, or a whole directory, held against Feide's rules.

In: a value of ``eduPersonEntitlement``, or an LDIF file. Out: JSON, or one finding a line by Feide's own error names.
Exit codes: 0 nothing is wrong, 1 something is, 2 the file cannot be read.
"""

import json
from collections import Counter
from pathlib import Path
from typing import Annotated

import typer

from dataflyt import feide
from dataflyt.errors import Unreadable

feide_app = typer.Typer(help="Hold Feide values and FEIDE exports against Feide's rules.", no_args_is_help=True)


@feide_app.command()
def value(
    text: Annotated[str, typer.Argument(metavar="VALUE", help="A value, such as 'urn:mace:feide.no:go:group:…'.")],
) -> None:
    """Read a go:group, go:groupid or go:grep value and print what it is as JSON.

    Keys: kind (group, groupid, grep, other), valid, errors, warnings (ours, not Feide's), groupid (the canonical
    group ID, or null).
    Exit code 1 when the value is not valid.
    """
    read = feide.parse(text)
    answer = {
        "kind": read.kind,
        "valid": read.valid,
        "errors": read.errors,
        "warnings": read.warnings,
        "groupid": read.groupid,
    }
    typer.echo(json.dumps(answer))
    raise typer.Exit(0 if read.valid else 1)


@feide_app.command()
def check(
    file: Annotated[Path, typer.Argument(metavar="FILE.ldif", help="A directory as LDIF (RFC 2849).")],
) -> None:
    """List what Feide's LDAP validator would find in a directory.

    One finding a line: Feide's name of the error, the organisation number or the line of the entry, and what is wrong;
    then a line with the sum. Nothing personal is printed. Grep codes are checked by their form only: whether a code
    exists is not looked up. Exit code 1 when there are findings, 2 when the file cannot be read.
    """
    found: Counter[str] = Counter()
    try:
        for finding in feide.check(file):
            typer.echo(str(finding))
            found[finding.name] += 1
    except Unreadable as unreadable:
        typer.echo(unreadable.sentence, err=True)
        raise typer.Exit(2) from None
    if not found:
        typer.echo("No findings.")
        return
    kinds = "1 kind" if len(found) == 1 else f"{len(found)} kinds"
    typer.echo(f"{found.total()} findings of {kinds}." if found.total() > 1 else "1 finding.")
    raise typer.Exit(1)
