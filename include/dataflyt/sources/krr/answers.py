"""The common parts of the KRR readers: a test of an answer's shape, and the clause for another shape."""


def is_list(answer: object, name: str) -> bool:
    """Tell whether an answer has a list under ``name``; one object counts as a list of one."""
    return isinstance(answer, dict) and isinstance(answer.get(name), list | dict)


def why_not(answer: object) -> str:
    """Return the Norwegian clause that tells why an answer is not KRR's."""
    if not isinstance(answer, dict):
        return "den er ikke et objekt"
    if "oppslag" in answer or "identifikasjonsnummer" in answer:
        return "den ser ut som et svar fra Folkeregisteret"
    return "den er en feilmelding" if "errors" in answer else "den har ingen liste «personer»"
