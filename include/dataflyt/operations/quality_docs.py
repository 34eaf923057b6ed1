"""Great Expectations' Data Docs of a kommune's suites: rules, owners, reasons, and the newest run's outcomes as counts.

In: the rules of every table and file, and ``control.check_result`` of the newest checked run. Out: a folder of pages.
The front page is ours, in Norwegian; each suite's page and its results are the library's. Their suites and results are
made here, of counts: no validation is stored anywhere, and no page has a row or a value.

The library's pages fetch styles and scripts from ten servers. They are taken out, and each page forbids its reader's
browser to fetch anything: nobody learns who reads about a kommune's quality, and the pages work without a network.

Great Expectations takes six seconds to import, so it is imported inside functions.
"""

import html
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import text

from dataflyt.config.kommune import Kommune
from dataflyt.errors import ConfigError, known_refusal
from dataflyt.exports.read_back import Record
from dataflyt.exports.read_back import rules as rules_of_a_file
from dataflyt.exports.registry import EXPORTS
from dataflyt.operations.quality import EFFECTS, said
from dataflyt.quality import expectations
from dataflyt.quality.rules import Context, Rule
from dataflyt.run.environment import Environment
from dataflyt.sources.freg import checks as freg
from dataflyt.sources.hr import checks as hr
from dataflyt.sources.krr import checks as krr
from dataflyt.sources.sas import checks as sas
from dataflyt.storage import database

TITLES = {"freg": "Folkeregisteret", "krr": "Kontakt- og reservasjonsregisteret", "hr": "HR", "sas": "Skolesystemet"}


def build(kommune: Kommune, environment: Environment, folder: Path) -> int:
    """Write the pages in an empty or new folder; return how many. Raises ConfigError for a folder that has files."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ConfigError(f"{folder} finnes og er ikke tom: velg en ny mappe.")
    db = database.engine(environment.connect(kommune.warehouse).url)
    with database.transaction(db, kommune.id, lock=False) as connection:
        found = connection.execute(text(_NEWEST), {"owner": kommune.id}).all()
    outcomes = {row.rule: row for row in found}
    try:
        with expectations.quiet():
            suites = _suites(kommune)
            _by_the_library(suites, outcomes, folder)
        for page in folder.rglob("*.html"):
            page.write_text(_plain(page.read_text(encoding="utf-8")), encoding="utf-8")
        for unused in [*folder.rglob("static/**/*")]:
            if unused.is_file():
                unused.unlink()
        (folder / "index.html").write_text(_front(kommune, outcomes, suites), encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{folder} kan ikke skrives: {known_refusal(error) or type(error).__name__}.") from None
    return sum(1 for _ in folder.rglob("*.html"))


_NEWEST = """
select c.run, c.suite, c.rule, c.passed, c.checked, c.unexpected, c.percent
from control.check_result c
where c.owner = :owner and c.run = (select max(run) from control.check_result where owner = :owner)
"""


def _declared(kommune: Kommune) -> dict[str, Sequence[Rule]]:
    """Return the rules of every table and of each file that the kommune publishes."""
    declared: dict[str, Sequence[Rule]] = {}
    for checks in (freg, krr, hr, sas):
        declared |= checks.RULES
    for name in (one for one in kommune.exports if EXPORTS[one].read):
        of_file = rules_of_a_file(Record(0, 0))
        declared[EXPORTS[name].file] = [rule for frame in of_file.values() for rule in frame]
    return declared


def _suites(kommune: Kommune) -> list[Any]:
    declared = _declared(kommune)
    # Numbers of rows are a run's own, and are not part of a rule: the pages give its description.
    return expectations.build(declared, Context(dict.fromkeys(declared, 0), 0))


def _by_the_library(suites: Iterable[Any], outcomes: Mapping[str, Any], folder: Path) -> None:
    """Let Great Expectations write its pages of the suites and of the newest outcomes."""
    import great_expectations as gx
    from great_expectations.core.expectation_validation_result import (
        ExpectationSuiteValidationResult,
        ExpectationValidationResult,
    )
    from great_expectations.core.run_identifier import RunIdentifier
    from great_expectations.data_context.types.base import DataContextConfig, InMemoryStoreBackendDefaults
    from great_expectations.data_context.types.resource_identifiers import (
        ExpectationSuiteIdentifier,
        ValidationResultIdentifier,
    )

    context = gx.get_context(
        mode="ephemeral",
        project_config=DataContextConfig(
            store_backend_defaults=InMemoryStoreBackendDefaults(),
            analytics_enabled=False,
            progress_bars={"globally": False},
            data_docs_sites={
                "quality": {
                    "class_name": "SiteBuilder",
                    "show_how_to_buttons": False,
                    "store_backend": {
                        "class_name": "TupleFilesystemStoreBackend",
                        "base_directory": str(folder.resolve()),
                    },
                    "site_index_builder": {"class_name": "DefaultSiteIndexBuilder"},
                }
            },
        ),
    )
    run = RunIdentifier(run_name=f"kjøring {max((row.run for row in outcomes.values()), default=0)}")
    for suite in suites:
        context.suites.add(suite)
        results = [
            ExpectationValidationResult(
                success=row.passed, expectation_config=expectation.configuration, result=_result(row)
            )
            for expectation in suite.expectations
            if (row := outcomes.get(expectation.meta["rule"])) is not None and row.passed is not None
        ]
        if not results:
            continue
        passed = sum(bool(result.success) for result in results)
        validated = ExpectationSuiteValidationResult(
            success=passed == len(results),
            results=results,
            suite_name=suite.name,
            statistics={
                "evaluated_expectations": len(results),
                "successful_expectations": passed,
                "unsuccessful_expectations": len(results) - passed,
                "success_percent": 100 * passed / len(results),
            },
            meta={
                "great_expectations_version": gx.__version__,
                "active_batch_definition": {},
                "run_id": run.to_json_dict(),
            },
        )
        context.validation_results_store.store_validation_results(
            suite_validation_result=validated,
            suite_validation_result_identifier=ValidationResultIdentifier(
                expectation_suite_identifier=ExpectationSuiteIdentifier(suite.name),
                run_id=run,
                batch_identifier=suite.name,
            ),
        )
    context.build_data_docs()


def _result(row: Any) -> dict[str, Any]:
    counted = {
        "element_count": row.checked,
        "unexpected_count": row.unexpected,
        "unexpected_percent": row.percent,
    }
    return {name: number for name, number in counted.items() if number is not None}


_OUTSIDE = re.compile(r"<script\b.*?</script>|<link\b[^>]*>|<img\b[^>]*>|<style\b.*?</style>", re.DOTALL | re.I)
_STYLE = """<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<style>
body { font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 70rem; padding: 0 1rem; color: #222; }
table { border-collapse: collapse; margin: 1rem 0; width: 100%; }
th, td { border-bottom: 1px solid #ccc; padding: .3rem .6rem; text-align: left; vertical-align: top; }
.broken { background: #fdecea; }
td.number { text-align: right; }
</style>
"""


def _plain(page: str) -> str:
    """Take everything out of a page of the library that is fetched or run, and give it our style."""
    bare = _OUTSIDE.sub("", page)
    return bare.replace("<head>", f"<head>\n{_STYLE}", 1) if "<head>" in bare else _STYLE + bare


def _front(kommune: Kommune, outcomes: Mapping[str, Any], suites: Iterable[Any]) -> str:
    """Return the front page: every rule with its reason, its owner, its effect and the newest outcome."""
    run = next((row.run for row in outcomes.values()), None)
    title = f"Kvalitetsregler for {kommune.display_name}"
    parts = [
        f'<!doctype html>\n<html lang="nb"><head><meta charset="utf-8"><title>{html.escape(title)}</title>\n{_STYLE}',
        f"</head><body>\n<h1>{html.escape(title)}</h1>\n",
        "<p>Ingen kjøring er kontrollert ennå.</p>\n"
        if run is None
        else f"<p>Utfallet er fra kjøring {run}. Sidene viser antall, og aldri hvem det gjelder eller hva som står. "
        "Regler som forteller om beskyttelse, har ingen tall.</p>\n",
    ]
    for suite in suites:
        source = TITLES.get(suite.name.partition("_")[0], "Fil som publiseres")
        link = f"expectations/{html.escape(suite.name.replace('.', '/'))}.html"  # as the library names its pages
        parts.append(f'<h2>{html.escape(source)}: <a href="{link}">{html.escape(suite.name)}</a></h2>\n<table>\n')
        parts.append("<tr><th>Regel</th><th>Grunn</th><th>Fører til</th><th>Rettes av</th><th>Brutt av</th></tr>\n")
        for expectation in suite.expectations:
            meta = expectation.meta
            row = outcomes.get(meta["rule"])
            broken = row is not None and row.passed is False
            number = "" if row is None or row.passed is None else said(0 if row.passed else row.unexpected or -1)
            cells = (meta["rule"], meta["reason"], EFFECTS[meta["scope"]], meta["responsible"])
            parts.append(
                f"<tr{' class=broken' if broken else ''}>"
                + "".join(f"<td>{html.escape(cell)}</td>" for cell in cells)
                + f'<td class="number">{number}</td></tr>\n'
            )
        parts.append("</table>\n")
    return "".join([*parts, "</body></html>\n"])
