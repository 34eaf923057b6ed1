"""The steps of a run: their names, their Norwegian titles, their order, and what each of them needs.

The order is stated here alone. ``execute`` follows it for the command line, the simulated weeks and the tests;
``dags/kommune.py`` wires a task for each step from it. Nothing heavy is imported here: Airflow reads it with every DAG.

    extract_sas -> extract_freg -> extract_krr, and extract_hr beside them
        -> withdraw -> check -> merge -> approve -> release -> publish -> deliver -> close_run
"""

from typing import NamedTuple


class Step(NamedTuple):
    """A step. ``always``: the step is done after the steps that it needs have ended, even if one of them failed."""

    name: str
    title: str
    needs: tuple[str, ...] = ()
    always: bool = False


_EXTRACTS = ("extract_sas", "extract_hr", "extract_freg", "extract_krr")

STEPS = (
    Step("extract_sas", "Hent fra skolesystemet"),
    Step("extract_hr", "Hent fra HR"),
    Step("extract_freg", "Hent fra Folkeregisteret", ("extract_sas",)),
    Step("extract_krr", "Hent fra KRR", ("extract_freg",)),
    Step("withdraw", "Trekk tilbake", _EXTRACTS, always=True),
    Step("check", "Kontroller", (*_EXTRACTS, "withdraw")),
    Step("merge", "Flett", ("check",)),
    Step("approve", "Godkjenn", ("merge",)),
    Step("release", "Frigi", ("approve",)),
    Step("publish", "Publiser", ("release",)),
    Step("deliver", "Lever", ("publish",)),
    # close_run does not come right after approve: in Airflow a rejection skips every task that does.
    Step(
        "close_run",
        "Gjør opp",
        (*_EXTRACTS, "withdraw", "check", "merge", "release", "publish", "deliver"),
        always=True,
    ),
)
"""Every step, in the order in which ``execute`` does them."""

HIDING = frozenset({"withdraw", "close_run"})
"""The steps that publish anew when somebody must be hidden. We tell nobody how long they take: it would tell that."""

TITLES = {step.name: step.title for step in STEPS}
"""The Norwegian name of each step, in their order."""
