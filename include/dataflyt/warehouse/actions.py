"""The Norwegian name of everything that the audit tells of: looks, decisions, and attempts at them."""

from typing import Final

LOOKS: Final = {
    "look up": "slo opp",
    "show person": "så alt om",
    "why": "spurte hvorfor om",
    "named beside": "så navnet til",
    "table": "hentet ut en tabell med",
    "plan rows": "så i planens rader",
    "plan": "så planen med beskyttede",
    "undo rows": "så hva en angring endrer",
    "work list": "så på arbeidslisten",
    "take work item": "tok saken på arbeidslisten om",
    "release work item": "ga fra seg saken på arbeidslisten om",
    "import rows": "så i importen",
    "account rows": "så i kontoforskjellen",
    "read audit": "leste innsynsloggen",
    "subject access": "skrev innsynsdokument",
    "disclosed": "så hvilke filer som har",
    "list decisions": "så det som er bestemt om",
    "list proposals": "så forslagene om",
    "list grants": "så tilgangene til",
    "list blocks": "så sperringene av",
    "list overrides": "så overstyringene av",
    "list links": "så koblingene av",
    "list manual people": "så dem som er registrert for hånd",
    "list quarantine": "så radene i karantene",
    "list suspensions": "så stansene av",
    "list publishable": "så dem som kan publiseres",
    "list held_back": "så dem som holdes tilbake",
    "hand over": "ga videre til en annen kommune",
    "confirmed proposal": "bekreftet et forslag",
    "refused proposal": "avslo et forslag",
    "taken_back proposal": "trakk et forslag",
}
"""What was looked at."""

DECISIONS: Final = {
    "block": "Sperring",
    "lift_block": "Heving av sperring",
    "grant": "Tilgang",
    "end_grant": "Slutt på tilgang",
    "withdraw_consent": "Samtykke trukket tilbake",
    "keep_suspension": "Stansen står",
    "lift_suspension": "Stansen heves",
    "hold_back": "Holdes tilbake",
    "end_hold_back": "Holdes ikke lenger tilbake",
    "publishable": "Kan publiseres",
    "end_publishable": "Kan ikke lenger publiseres",
    "override": "Overstyring",
    "raise_protection": "Hevet adressebeskyttelse",
    "end_override": "Slutt på overstyring",
    "manual_person": "Personer registrert for hånd",
    "end_manual_person": "Slutt på registrering for hånd",
    "link": "To personer som er én",
    "unlink": "Person som deles i to",
    "release_row": "Rad slippes ut av karantene",
    "reject_row": "Rad avvist, blir i karantene",
    "undo": "Angring av en frigitt kjøring",
    "erase": "Sletting av en person",
    "take_over": "Overtaking fra en annen kommune",
}
"""Each kind of decision (``decisions.kinds``)."""

DENIED: Final = "denied"
"""Stands before an action that was refused (``warehouse.refusals``)."""

_ATTEMPTS: Final = {
    DENIED: "avvist",
    "propose": "foreslo",
    "try": "prøvde",
    "refused": "avslo",
    "taken_back": "trakk",
}


def title(action: str) -> str:
    """Return what was done, in an operator's words.

    >>> title("propose override"), title("denied show person")
    ('foreslo: overstyring', 'avvist: så alt om')
    """
    if named := LOOKS.get(action) or DECISIONS.get(action):
        return named
    attempt, _, rest = action.partition(" ")
    if attempt not in _ATTEMPTS:
        return action
    named = title(rest)
    return f"{_ATTEMPTS[attempt]}: {named[:1].lower()}{named[1:]}"
