"""``why``: the answer to a question about people of a kommune. Commands and pages call it."""

from collections.abc import Sequence

from dataflyt.config.kommune import Kommune
from dataflyt.errors import ConfigError
from dataflyt.run.environment import Environment
from dataflyt.warehouse import audit
from dataflyt.warehouse.audit import Visitor
from dataflyt.warehouse.refusals import refusals
from dataflyt.why import field, texts
from dataflyt.why.asking import Asked, asking
from dataflyt.why.causes import CAUSES
from dataflyt.why.check import Answer, Check, Found, Step, Verdict, outcomes, passed
from dataflyt.why.correcting import corrector
from dataflyt.why.questions import QUESTIONS
from dataflyt.why.texts import LANGUAGES, Language, laws


def why(
    kommune: Kommune,
    environment: Environment,
    question: str,
    visitor: Visitor,
    *,
    who: str = "",
    child: str | None = None,
    word: str = "",
    graded: bool = False,
    language: Language = "nb",
) -> Answer:
    """Answer a question (``questions.QUESTIONS``), and keep the look in the audit, in one transaction.

    ``who`` is the person that the question is about (the guardian, the pupil, the employee), as ``people.known`` reads
    it; ``child`` the child of a question with one; ``word`` the field or the group. Somebody who does not exist is no
    error: the answer says who could correct that. Without ``graded`` a protected person is answered for as somebody who
    does not exist.

    Raises NotAllowed without the right ``persons``, or ``graded``. Raises ConfigError for an unknown question or
    language, for a missing part of the question, and while no run has been released.
    """
    with refusals(kommune, environment.connect, visitor, "why", [one for one in (who, child) if one]):
        kommune.case_worker(visitor.id, "graded" if graded else "persons")
    asks = QUESTIONS.get(question)
    if asks is None:
        raise ConfigError(f"Spørsmålet «{question}» finnes ikke: skriv {', '.join(QUESTIONS)}.")
    if language not in LANGUAGES:
        raise ConfigError(f"Språket «{language}» finnes ikke: skriv {', '.join(LANGUAGES)}.")
    if asks.about == "child" and child is None:
        raise ConfigError("Skriv hvilket barn det gjelder.")
    # By what is written: by whom it finds, the answer would tell that it finds somebody.
    if asks.about == "child" and child is not None and _alike(who) == _alike(child):
        raise ConfigError("Den voksne og barnet er samme person: skriv den voksne først, og så barnet.")
    if asks.about in ("field", "group") and not word and not asks.optional:
        raise ConfigError(f"Skriv {'feltet' if asks.about == 'field' else 'gruppens id'} det gjelder.")
    if asks.about == "field" and field.named(word) not in field.FIELDS:
        raise ConfigError(f"Dataflyt kjenner ikke feltet «{word}»: skriv {', '.join(sorted(field.FIELDS))}.")
    chain = asks.chain()
    read = " ".join(query for one in chain for query in one.queries.values())
    about_child = child if asks.about == "child" else None
    with asking(
        kommune, environment, who, about_child, read=read, word=word if asks.about != "child" else "", graded=graded,
        language=language, of_group=asks.about == "group",
    ) as asked:  # fmt: skip
        answer = _answer(asked, question, chain)
        subjects = [one for one in (asked.who, asked.child) if one is not None]
        detail = f"{question}, kjøring {asked.released}"
        known = [one.person_id for one in subjects if one.known]
        audit.record(asked.here.connection, kommune.id, visitor, "why", known, detail, asked.named)
    return answer


def _alike(written: str) -> str:
    return " ".join(written.split()).casefold()


def _answer(asked: Asked, question: str, chain: Sequence[Check]) -> Answer:
    found = _without_idle_wait(asked, [(one.name, found) for one, found in outcomes(asked, chain)])
    steps = [_step(asked, name, one) for name, one in found]
    verdict = _verdict(asked, question, steps)
    key = QUESTIONS[question].caller(asked, verdict)
    caller = asked.word_for("caller", key, next=asked.from_next, law=laws()["information"][asked.language])
    subjects = [one for one in (asked.who, asked.child) if one is not None and one.known]
    return Answer(
        question,
        asked.word_for("questions", question),
        tuple(one.name for one in subjects),
        tuple(steps),
        verdict,
        caller,
    )


def _without_idle_wait(asked: Asked, outcome: Sequence[tuple[str, Found]]) -> list[tuple[str, Found]]:
    """Let a waiting run pass that does not mend the first link that is broken: to approve it would not help."""
    first = next((name for name, found in outcome if found.broken and not found.mends), None)
    return [
        (name, passed(run=asked.released) if found.mends and first and first not in found.mends else found)
        for name, found in outcome
    ]


def _step(asked: Asked, name: str, found: Found) -> Step:
    said = dict(found.said)
    evidence = found.evidence
    cause = CAUSES.get(found.cause)
    if found.cause:
        said |= {"run": said.get("run", evidence.run), "source": asked.words("sources").get(evidence.source, "")}
        sentence = asked.word_for("causes", found.cause, **said)
    else:
        part, key = found.text or ("passed", name)
        said.setdefault("run", evidence.run)
        sentence = asked.word_for(part, key, **said)
    return Step(
        name,
        asked.word_for("checks", name),
        found.status,
        asked.word_for("statuses", found.status),
        sentence,
        asked.words("sources").get(evidence.source, ""),
        evidence.run,
        asked.run_day(evidence.run),
        evidence.value,
        found.cause,
        corrector(found.corrector or cause.corrector, asked.language) if cause else None,
        asked.word_for("when", cause.when, next=asked.next_run, day=said.get("day", "")) if cause else "",
        texts.settles(asked.language, found.cause) if found.cause else "",
        found.soft,
        found.note,
    )


def _verdict(asked: Asked, question: str, steps: Sequence[Step]) -> Verdict:
    """Conclude by the first link that does not hold; a soft doubt before it makes that uncertain too."""
    broken = next((one for one in steps if one.status != "passed" and not one.soft and not one.note), None)
    doubts = [one for one in steps if one.soft]
    if broken is None:
        words = asked.words("verdict")
        return Verdict("fine", (), words.get(f"fine_{question}", words["fine"]), None, "", "")
    notes = [one.settles for one in steps if one.note and one.source == broken.source]
    if broken.status == "failed" and not doubts:
        settles = " ".join(filter(None, (broken.settles, *notes)))
        return Verdict("failed", (broken.cause,), broken.sentence, broken.corrector, broken.when, settles)
    said = [asked.word_for("verdict", "unknown", says=broken.sentence)]
    said += [asked.word_for("verdict", "or", says=one.sentence) for one in doubts]
    causes = (broken.cause, *(one.cause for one in doubts))
    settles = " ".join(dict.fromkeys(one.settles for one in (broken, *doubts) if one.settles) | dict.fromkeys(notes))
    return Verdict("unknown", causes, " ".join(said), broken.corrector, broken.when, settles)
