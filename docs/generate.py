"""Write the pages that are generated from the code: ``docs/reference/`` in Norwegian, and the table map for engineers.

``make docs`` runs it; ``tests/project/test_docs.py`` fails when a page is out of date. It reads the kommune file's
models and defaults, commands, DAG files, rules of the checks, plan kinds, and tables.
"""

from __future__ import annotations

import datetime
import inspect
import re
import sys
import types
import typing
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING, Any, get_args

import yaml
from pydantic import BaseModel
from typer.core import TyperArgument
from typer.main import get_command

from dataflyt.cli.kommune import filled_template
from dataflyt.cli.main import app
from dataflyt.config.kommune import WEEKDAYS, Kommune, PlanKind
from dataflyt.config.loading import DEFAULTS
from dataflyt.exports import read_back
from dataflyt.on_airflow import notices, rights
from dataflyt.operations.metrics import METRICS
from dataflyt.run import report
from dataflyt.run.steps import TITLES
from dataflyt.sources.freg import checks as freg
from dataflyt.sources.hr import checks as hr
from dataflyt.sources.krr import checks as krr
from dataflyt.sources.sas import checks as sas
from dataflyt.warehouse import guard, plan, tables

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

HERE = Path(__file__).parent
ROOT = HERE.parent
MIGRATIONS = Path(inspect.getfile(tables)).parent / "migrations" / "versions"
_HIDE = {"reference/plan-kinds.md": "---\nhide: [toc]\n---\n\n"}
"""Pages that are one wide table."""
GENERATED = "<!-- Skrevet av docs/generate.py: rett koden, og kjør «make docs». -->\n"


def pages() -> dict[str, str]:
    """Return every generated page by its path below ``docs``."""
    written = {
        "reference/kommune-file.md": kommune_file(),
        "reference/command-line.md": command_line(),
        "reference/dags.md": dags(),
        "reference/quality-rules.md": quality_rules(),
        "reference/plan-kinds.md": plan_kinds(),
        "engineer/tables.md": table_map(),
        "engineer/metrics.md": metric_list(),
    }
    return {path: f"{_HIDE.get(path, '')}{GENERATED}\n{text.strip()}\n" for path, text in written.items()}


def main() -> None:
    """Write the pages that have changed, and name them."""
    for path, text in pages().items():
        page = HERE / path
        page.parent.mkdir(parents=True, exist_ok=True)
        if not page.exists() or page.read_text(encoding="utf-8") != text:
            page.write_text(text, encoding="utf-8")
            sys.stdout.write(f"docs/{path}\n")


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Write a table in Markdown."""
    lines = [heads, ["---"] * len(heads), *rows]
    cells = ([" ".join(cell.split()).replace("|", "\\|") for cell in line] for line in lines)
    return "\n".join(f"| {' | '.join(line)} |" for line in cells) + "\n"


def code(value: object) -> str:
    """Write a value as code."""
    return f"`{value}`"


# --- the kommune file ------------------------------------------------------------------------------------------------


def kommune_file() -> str:
    """Describe every field of a kommune file, from its models and the defaults."""
    shared = (ROOT / "include" / "dataflyt" / "config" / DEFAULTS).read_text(encoding="utf-8")
    sections = "\n".join(
        f"## {f'`{path}`' if path else 'Øverst i filen'}\n\n"
        + table(("Felt", "Verdi", "Står det ikke", "Hva du skriver"), rows)
        for path, rows in _sections(Kommune, "", yaml.safe_load(shared))
    )
    new = filled_template("haugesund", "Haugesund", "1106")
    return f"""# Kommunefilen

Hver kommune er én fil i mappen som `DATAFLYT_KOMMUNER` peker på, ellers `include/kommuner/`: `haugesund.yaml` for
kommunen med id `haugesund`. Filen legges over `{DEFAULTS}`, som gjelder alle: mappens egen, ellers den
som følger med. Felter under samme overskrift flettes. Lister og enkeltverdier erstattes.

`dataflyt kommune check` sier i én setning hva som er galt, på hvilken linje, og hva du skriver i stedet.
`dataflyt kommune new` skriver en ny fil med forklaringer. Nøkler og passord skal aldri stå i filen.

«Må skrives» betyr at kommunens DAG ikke går før feltet er fylt ut. «Ingenting» betyr at feltet kan utelates.

{sections}
## Felles forvalg

Dette står i den `{DEFAULTS}` som følger med:

```yaml
{shared.strip()}
```

## En ny fil

Slik skriver `dataflyt kommune new 1106 --name Haugesund` filen. Linjene som er merket «fyll ut», må du skrive.

```yaml
{new.strip()}
```
"""


def _sections(model: type[BaseModel], path: str, defaults: Any) -> Iterator[tuple[str, list[tuple[str, ...]]]]:
    """Yield a section for each model: its fields, and then the models below it."""
    rows: list[tuple[str, ...]] = []
    below = []
    for name, field in model.model_fields.items():
        given = defaults.get(name) if isinstance(defaults, dict) else None
        inner = _model(field.annotation)
        where = f"{path}.{name}" if path else name
        if inner:
            below.append((inner, where, given))
        default = "må skrives" if field.is_required() else "ingenting"
        if name == "warehouse":
            default = "`warehouse_<id>`"
        elif isinstance(given, dict):
            default = "felles forvalg"
        elif given is not None:
            default = code(_yaml(given))
        elif not field.is_required() and field.default_factory is None and field.default is not None:
            default = code(_yaml(field.default))
        said = (field.description or "").removeprefix("skriv ")
        rows.append((code(name), _type(field.annotation, field.metadata, where), default, said))
    yield path, rows
    for inner, where, given in below:
        yield from _sections(inner, where, given)


def _yaml(value: object) -> str:
    return yaml.safe_dump(value, default_flow_style=True, allow_unicode=True).removesuffix("\n...\n").strip()


def _model(annotation: Any) -> type[BaseModel] | None:
    """Return the model in a field's type: plain, optional, in a list, or in a mapping; else None."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for part in get_args(annotation) if (found := _model(part))), None)


def _type(annotation: Any, metadata: Iterable[Any], where: str) -> str:
    """Return a type in Norwegian words."""
    origin, parts = typing.get_origin(annotation), get_args(annotation)
    if origin is typing.Annotated:
        return _type(parts[0], _flat(parts[1:]), where)
    if origin is typing.Literal:
        shown = [code(str(part).lower() if isinstance(part, bool) else part) for part in parts]
        return "en endringstype" if parts == get_args(PlanKind) else " eller ".join(shown)
    if origin in (types.UnionType, typing.Union):
        return " eller ".join(_type(part, metadata, where) for part in parts if part is not type(None))
    if origin is tuple:
        return f"liste: {_type(parts[0], (), where)}"
    if origin is dict:
        return f"felter: {_type(parts[0], (), where)} og {_type(parts[1], (), where)}"
    if origin is list:
        return f"liste: {_type(parts[0], (), where)}"
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return f"[felter](#{re.sub(r'[^a-z0-9_]', '', where)})"
    bounds = {kind: getattr(bound, kind) for bound in metadata for kind in ("ge", "le") if hasattr(bound, kind)}
    what = {str: "tekst", bool: "`true` eller `false`", int: "helt tall", float: "tall", datetime.date: "dato"}
    said = what[annotation]
    if "ge" in bounds:
        said += f" fra {bounds['ge']}"
    if "le" in bounds:
        said += f" til {bounds['le']}"
    return said


def _flat(metadata: Iterable[Any]) -> list[Any]:
    """Return the bounds, those inside a Field and those next to it."""
    return [inner for one in metadata for inner in (one, *getattr(one, "metadata", ()))]


# --- the command line ------------------------------------------------------------------------------------------------


def command_line() -> str:
    """Describe every command, in the words of its help, and the targets of make."""
    return f"""# Kommandolinjen

`dataflyt` ligger i `.venv/bin` etter `make setup`. Hver kommando har `--help`.

| Returkode | Betyr |
|---|---|
| 0 | ferdig |
| 1 | noe ble funnet (`doctor`, kontrollene), eller den som leste utskriften, gikk sin vei |
| 2 | én setning sier hva som er galt |
| 130 | avbrutt med Ctrl-C |

Ved siden av `make up` og `make demo` virker alle kommandoene i et vindu til. Ellers trenger de `DATAFLYT_STORAGE` og
tilkoblingene (`AIRFLOW_CONN_<NAVN>`, på Airflows JSON-form).

{"".join(_commands(get_command(app), ("dataflyt",)))}
## make

{table(("Kommando", "Hva den gjør"), _targets())}
"""


def _commands(command: Any, path: tuple[str, ...]) -> Iterator[str]:
    """Yield a section for each command; a group's own line comes before its commands."""
    below = getattr(command, "commands", None)
    said = inspect.cleandoc(command.help or "").replace("``", "`")
    if below is None:
        yield f"## `{' '.join(path)}`\n\n{said}\n\n```text\n{_usage(command, path)}\n```\n\n{_words(command)}\n"
        return
    if len(path) > 1:
        yield f"## `{' '.join(path)}` …\n\n{said}\n\n"
    for name, one in below.items():
        yield from _commands(one, (*path, name))


def _usage(command: Any, path: tuple[str, ...]) -> str:
    context = command.make_context(path[-1], [], resilient_parsing=True)
    pieces = command.collect_usage_pieces(context)
    return " ".join([*path, *(piece.upper() if piece.islower() else piece for piece in pieces)])


def _words(command: Any) -> str:
    rows = []
    for param in command.params:
        argument = isinstance(param, TyperArgument)
        name = str(param.metavar or param.name).upper() if argument else "/".join([*param.opts, *param.secondary_opts])
        said = param.help or ""
        if not argument and getattr(param, "envvar", None):
            said += f" Miljøvariabel: {code(param.envvar)}."
        rows.append((code(name), "ja" if param.required else "nei", said))
    return table(("Ord", "Må være med", "Betyr"), rows) if rows else ""


def _targets() -> Iterator[tuple[str, str]]:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for name, said in re.findall(r"^([a-z-]+):[^#\n]*## *(.+)$", makefile, re.MULTILINE):
        yield code(f"make {name}"), said


# --- DAGs ------------------------------------------------------------------------------------------------------------


def dags() -> str:
    """Describe the DAGs by their files and pages; Airflow is not imported."""
    names = {"freg_events": notices.EVENTS, "nightly": notices.NIGHTLY, "morning": notices.MORNING}
    names["reference_data"] = notices.REFERENCE
    rows = [("`kommune_<id>`", "kommunens navn og nummer", "som `schedule` i kommunefilen sier", "en kommunes kjøring")]
    rows += [(code(dag), names[dag], _when(dag), notices.DESCRIPTIONS[dag]) for dag in rights.COMMON]
    shared = "\n".join(
        f"## {names[dag]}: `{dag}`\n\n{_when(dag).capitalize()}. Steg: {_tasks(dag)}.\n\n{_page(dag)}\n"
        for dag in rights.COMMON
    )
    given = {word: f"`{field}`" for word, field in _FIELDS.items()} | {"trial": "", "done_by": ""}
    given |= {"plan_only": notices.PLAN_ONLY, "full_reload": notices.FULL_RELOAD, "mail": _MAIL}
    page = Template(_page("kommune")).substitute(given)
    for step, name in TITLES.items():
        assert f"| {name} |" in page, name  # noqa: S101 - the page lacks a step
        page = page.replace(f"| {name} |", f"| {name}<br>{code(step)} |")
    return f"""# DAG-ene

{table(("DAG", "Heter", "Når", "Hva"), rows)}
Klokkeslett er norsk tid. Bare dataingeniøren ser de fire felles DAG-ene. Det som står nedenfor, er det samme som siden
til hver DAG i Airflow viser; der en kommunes side viser egne tall, står her feltet i kommunefilen.

## En kommune: `kommune_<id>`

{page}

{shared}"""


_FIELDS = {
    "name": "name",
    "exports": "exports",
    "schedule": "schedule",
    "max_children": "guard.max_children_losing_access_percent",
    "max_drop": "guard.max_drop_percent",
    "approvers": "approvers",
    "answer_days": "guard.answer_days",
}
"""The kommune file's field for each placeholder in a kommune's page."""
_MAIL = "De som står i `mail`. Står det ingen der, får ingen e-post."


def _page(dag: str) -> str:
    return (ROOT / "dags" / f"{dag}.md").read_text(encoding="utf-8").strip()


def _when(dag: str) -> str:
    """Return a DAG's cron schedule in Norwegian."""
    source = (ROOT / "dags" / f"{dag}.py").read_text(encoding="utf-8")
    cron = re.search(r'CronTriggerTimetable\("([^"]+)"', source)
    assert cron, dag  # noqa: S101 - a DAG without a fixed time would need other words
    minute, hour, _, _, day = cron[1].split()
    if hour == "*":
        return f"hver time, {minute} minutter over hel"
    how_often = "hver dag" if day == "*" else f"hver {list(WEEKDAYS.values())[(int(day) - 1) % 7]}"
    return f"{how_often} kl. {int(hour):02}.{int(minute):02}"


def _tasks(dag: str) -> str:
    if dag == "reference_data":
        found = notices.REFERENCE_STEPS
    else:
        source = (ROOT / "dags" / f"{dag}.py").read_text(encoding="utf-8")
        written = re.findall(r'task_id="(\w+)", task_display_name=notices\.(\w+)', source)
        found = {task: getattr(notices, name) for task, name in written}
    return ", ".join(f"«{name}» ({code(task)})" for task, name in found.items())


# --- quality rules ---------------------------------------------------------------------------------------------------

_SCOPES = {"row": "raden i karantene", "table": "**kjøringen stopper**", "note": "telles"}


def quality_rules() -> str:
    """List every rule of the checks: table, name, effect, who corrects it, and why."""
    text = """# Kvalitetsregler

Steget «Kontroller» prøver disse reglene på alt som er hentet. En regel gjør ett av tre:

- **raden i karantene**: raden legges til side med grunn og eier, og kjøringen går videre. Det som var kjent om den
  raden gjelder, står.
- **kjøringen stopper**: noe er galt med hele tabellen, og ingenting blir endret.
- **telles**: det står i rapporten, og stopper ingenting.

Overskriftene er navnene som tabellene har i varehuset. «Eier» er den som må rette det. En regel merket med * kan to
personer slippe en rad forbi ([Kvalitet](../operator/quality.md)).

"""
    sources = {"Folkeregisteret": freg, "Kontakt- og reservasjonsregisteret": krr, "HR": hr, "Skolesystemet": sas}
    for title, checks in sources.items():
        text += f"## {title}\n\n"
        for name, rules in checks.RULES.items():
            rows = (
                (code(rule.name) + " \\*" * rule.releasable, rule.reason, _SCOPES[rule.scope], rule.responsible)
                for rule in rules
            )
            text += f"### {code(name)}\n\n{table(('Regel', 'Grunn', 'Fører til', 'Eier'), rows)}\n"
    text += (
        "## Filene\n\nHver fil leses tilbake og prøves før den publiseres. Brytes en regel, publiseres den ikke.\n\n"
    )
    of_files = [rule for of_frame in read_back.rules(read_back.Record(0, 0)).values() for rule in of_frame]
    return text + table(("Regel", "Grunn", "Eier"), ((code(r.name), r.reason, r.responsible) for r in of_files))


# --- kinds of a plan -------------------------------------------------------------------------------------------------

_MEASURED = {
    "guardian_access": "tilgangene foresatte har",
    "enrolment": "elevene",
    "employment": "de ansatte ved skolene",
    "person": "personene",
    "contact": "foresatte med kontaktinformasjon",
    "school_group": "gruppene",
    "membership": "medlemskapene i grupper",
    "account": "kontoene som er i bruk",
}
"""The base of a limit's percent, in words, by the table that the guard counts."""


def plan_kinds() -> str:
    """List the kinds of change that a plan has, with their limits in the defaults."""
    shared = yaml.safe_load((ROOT / "include" / "dataflyt" / "config" / DEFAULTS).read_text(encoding="utf-8"))["guard"]
    named = report.KINDS | report.GRADED_KINDS
    rows = [
        (
            code(kind),
            named[kind],
            _limit(shared["limits"].get(kind)),
            _limit(shared["august"].get(kind)) if kind in shared["august"] else "som ellers",
            _measured(kind) if kind in shared["limits"] else "",
            "**alltid**" if kind in guard._ALWAYS else "over grensen" if kind in shared["limits"] else "nei",
            "bare den som ser beskyttelse" if kind in plan.GRADED_KINDS else "alle",
        )
        for kind in get_args(PlanKind)
    ]
    heads = ("Endringstype", "Heter", "Grense", "I august", "Prosent av", "Spør", "Hvem ser antallet")
    return f"""# Endringstypene i en plan

Planen er forskjellen mellom det som gjelder i dag, og det som ville gjelde om kjøringen ble frigitt. Hver rad i planen
er en endring av ett av slagene under.

Grensene er de i `{DEFAULTS}`. En kommunefil kan ha egne under `guard.limits`, og egne i august under `guard.august`.
Er antallet over prosenten eller over tallet, blir en godkjenner spurt.

Av «{report.KINDS["guardian_loses_access"]}» måles bare de som mangler fordi barnet eller den foresatte ikke er i
uttrekket. Et tap som Folkeregisteret har svart på, gjelder straks, og spør ingen.

{table(heads, rows)}
[Å godkjenne](../operator/approving.md) sier hva annet det alltid blir spurt om.
"""


def _limit(limit: dict[str, float | None] | None) -> str:
    if limit is None:
        return "ingen"
    percent, count = limit.get("percent"), limit.get("count")
    bounds = [f"{percent:g} %"] if percent is not None else []
    bounds += [report.spaced(int(count))] if count is not None else []
    return " eller ".join(bounds).replace(".", ",") or "ingen"


def _measured(kind: str) -> str:
    return _MEASURED[guard._BASE[kind.split("_")[0]]]


# --- tables ----------------------------------------------------------------------------------------------------------


def table_map() -> str:
    """List the warehouse's tables: the meaning of a row, the key and the columns; for control, the tables' comments."""
    text = """# Table map

| Schema | Holds | Written by |
|---|---|---|
| `staging_<id>` | a kommune's rows of the run under way; unlogged tables | the extracts |
| `history` | the sources' rows, run-versioned: `from_run`, `to_run` | merge |
| `golden` | the golden record, run-versioned | merge |
| `control` | runs, answers, vetoes, decisions, quarantine, publications | every step, and people |
| `events` | who holds whom, by keyed hash, for FREG's event list | `freg_events` and the runs |
| `reference` | schools, subject codes and kommuner; no people | `reference_data` |

Tables about people carry `owner`, the kommune's id, and row-level security shows a kommune's role its own rows alone.
The columns of a table's key are bold. Columns without a type are text; those marked *hash* are kept as keyed hashes.
Columns have the register's spelling here; PostgreSQL folds it to lower case.

## history

Every row has `from_run` and `to_run`, `key` (its key's values, as one text) and `subject` (who was asked about).
`staging_<id>` has the same tables, with `row_id` and `page` (the landed page) in place of the run numbers.

"""
    rows = [
        (
            code(name),
            _says(known.table.row.__doc__),
            _columns(known.columns, known.table.key, known.table.hashed),
        )
        for name, known in tables.source_tables().items()
    ]
    text += table(("Table", "A row", "Columns"), rows)
    text += "\n## golden\n\nEach table is computed for a run by the SQL file of its name in `warehouse/sql/golden/`, "
    text += "and merged by its key.\n\n"
    golden = [
        (
            code(name),
            rule.grain.removeprefix("one row ").capitalize(),
            rule.prose,
            _columns(rule.columns, rule.key),
        )
        for name, rule in tables.GOLDEN.items()
    ]
    text += table(("Table", "A row", "Rule", "Columns"), golden)
    for schema in ("control", "events", "reference"):
        text += f"\n## {schema}\n\n{table(('Table', 'Holds', 'Since'), _created(schema))}"
    return text


def _columns(columns: Mapping[str, str], key: Iterable[str], hashed: Iterable[str] = ()) -> str:
    """Name a table's columns: the key's in bold, and a type where it is not text."""
    said = []
    for column, kind in columns.items():
        name = f"**{code(column)}**" if column in key else code(column)
        more = [kind] if kind != "text" else []
        said.append(" ".join([name, *more, *(["*hash*"] if column in hashed else [])]))
    return ", ".join(said)


def _says(docstring: str | None) -> str:
    assert docstring  # noqa: S101 - a row type without a docstring
    return docstring.replace("``", "`")


def _created(schema: str) -> Iterator[tuple[str, str, str]]:
    """Yield the tables of a schema with the comment above each, and the migration that made it."""
    files = sorted(MIGRATIONS.glob("*.sql"))
    assert files, MIGRATIONS  # noqa: S101 - the migrations have moved
    for file in files:
        above: list[str] = []
        for line in file.read_text(encoding="utf-8").splitlines():
            if line.startswith("--"):
                above.append(line.removeprefix("--").strip())
            elif made := re.match(rf"create table {schema}\.(\w+)", line):
                yield code(made[1]), " ".join(above), code(file.stem)
                above = []
            else:
                above = []


# --- metrics ---------------------------------------------------------------------------------------------------------

_IN_PROMETHEUS = {"counter": "", "gauge": "", "seconds": "_bucket, _sum, _count"}


def metric_list() -> str:
    """List the metrics that Dataflyt sends, with their names in StatsD, OpenTelemetry and Prometheus."""
    rows = []
    for name, told in METRICS.items():
        series = f"airflow_{name.replace('.', '_')}"
        suffixes = _IN_PROMETHEUS[told.kind].split(", ")
        rows.append(
            (
                code(f"airflow.{name}"),
                ", ".join(code(series + suffix) for suffix in suffixes),
                told.kind,
                ", ".join(code(tag) for tag in told.tags),
                told.says,
            )
        )
    heads = ("StatsD and OpenTelemetry", "Prometheus", "Kind", "Tags", "Tells")
    return f"""# Metrics

[Monitoring](monitoring.md#metrics) says how to turn them on, and what they leave out. `airflow` is Airflow's setting
`statsd_prefix`; the names in Prometheus are those that `deploy/observe/statsd.yaml` gives.

{table(heads, rows)}"""


if __name__ == "__main__":
    main()
