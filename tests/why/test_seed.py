"""The seed's own calls, in its words: the one right answer to each, and what the caller hears."""

import pytest

from dataflyt.why.answering import why
from dataflyt.why.check import Answer
from tests.installation.fixtures import LOOKING, Installation


def ask(here: Installation, question: str, who: str, child: str | None = None, **more: object) -> Answer:
    return why(here.kommune, here.environment, question, LOOKING, who=who, child=child, **more)  # type: ignore[arg-type]


@pytest.mark.after_first_run
def test_the_calls_of_the_seed(installation: Installation) -> None:
    import time

    here = installation
    baug = here.registers.person("seed_baug") if False else None
    world = here.registers.world
    baug = next(p.person for p in world.pupils if "seed_baug" in p.cases)
    father, mother, stepfather = (here.registers.person(case) for case in ("seed_father", "seed_mother", "stepfather"))
    for q, who, child in (
        ("access", father.number, baug.number),
        ("access", stepfather.number, baug.number),
        ("changed", father.number, baug.number),
        ("resources", baug.number, None),
        ("stepfather", stepfather.number, baug.number),
        ("envelope", father.number, None),
        ("missing", baug.number, None),
        ("row", baug.number, None),
    ):
        t = time.perf_counter()
        found = ask(here, q, who, child)
        print("\n==", q, f"{(time.perf_counter() - t) * 1000:.0f} ms", found.title, found.about)
        for s in found.steps:
            print("  ", s.status, s.check, "|", s.sentence, "|", s.source, s.run, s.day, s.value)
        print("  =>", found.verdict)
        print("  caller:", found.caller)
    f = ask(here, "field", father.number, word="e-post")
    print(f.verdict)
    f = ask(here, "group", "", word="SKA/NOR-6A/2026")
    print(f)
