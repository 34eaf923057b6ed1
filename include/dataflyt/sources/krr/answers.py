"""What the readers of KRR's answers share: whether an answer is one, and what it is instead."""


def is_list(answer: object, name: str) -> bool:
    """Tell whether an answer has a list under ``name``; one object stands for a list of one."""
    return isinstance(answer, dict) and isinstance(answer.get(name), list | dict)


def why_not(answer: object) -> str:
    """Return the clause that says why an answer is not one of KRR's."""
    if not isinstance(answer, dict):
        return "den er ikke et objekt"
    if "oppslag" in answer or "identifikasjonsnummer" in answer:
        return "den ser ut som et svar fra Folkeregisteret"
    return "den er en feilmelding" if "errors" in answer else "den har ingen liste «personer»"
