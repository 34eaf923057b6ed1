"""The types of Dataflyt's connections, with the fields of their forms: Airflow reads this to draw «Add Connection».

``get_provider_info`` is the entry point ``apache_airflow_provider`` of the package. Every process of Airflow may call
it, so this module imports nothing. The hooks behind the button Test are in ``hooks``. Connections of the type
``generic`` are used as before: a task asks for a connection by its name and never looks at its type.

A field stands in ``extra`` under the name given here. Airflow masks ``password``, and the fields of ``extra`` whose
names contain a word of ``[core] sensitive_var_conn_names`` or one of Airflow's own. ``SENSITIVE`` are those that it
does not know.
"""

from typing import Any, Final

SENSITIVE: Final = ("integrasjon_passord", "links")
"""The secret fields of ``extra`` that Airflow masks only when ``[core] sensitive_var_conn_names`` has them."""

TITLES: Final = {
    "freg": "Folkeregisteret (FREG)",
    "krr": "Kontakt- og reservasjonsregisteret (KRR)",
    "freg_events": "Folkeregisterets hendelser (FREG)",
    "hr_files": "Filer fra lønnssystemet (HR)",
    "sas_files": "Filer fra skolesystemet (SAS)",
    "sas_calendars": "Kalendere fra skolesystemet (iCal)",
    "export_folder": "Mappe hos en mottaker av eksporter",
    "dataflyt_warehouse": "Varehuset (Dataflyt)",
}
"""The types, with the names that the form shows."""


def get_provider_info() -> dict[str, Any]:
    """Return what Airflow must know of this package: its connection types."""
    return {
        "package-name": "dataflyt",
        "name": "Dataflyt",
        "description": "Tilkoblinger til registrene, filene og varehuset.",
        "connection-types": [_type(name) for name in TITLES],
    }


def _type(name: str) -> dict[str, Any]:
    labels, placeholders, fields = _FORMS[name]
    standard = ("host", "port", "schema", "login", "password")
    return {
        "connection-type": name,
        "hook-class-name": f"dataflyt.on_airflow.hooks.{HOOKS[name]}",
        "hook-name": TITLES[name],
        "ui-field-behaviour": {
            "hidden-fields": [field for field in standard if field not in labels],
            "relabeling": labels,
            "placeholders": placeholders,
        },
        "conn-fields": fields,
    }


HOOKS: Final = {name: "".join(word.capitalize() for word in name.split("_")) + "Hook" for name in TITLES}
"""The name of each type's hook in ``hooks``."""


def _text(label: str, description: str, **schema: Any) -> dict[str, Any]:
    return {"label": label, "description": description, "schema": {"type": ["string", "null"], **schema}}


def _secret(label: str, description: str) -> dict[str, Any]:
    return _text(label, description, format="password")


def _number(label: str, description: str, kind: str = "number") -> dict[str, Any]:
    return {"label": label, "description": description, "schema": {"type": [kind, "null"]}}


def _list(label: str, description: str) -> dict[str, Any]:
    schema = {"type": ["array", "null"], "items": {"type": "string"}}
    return {"label": label, "description": description, "schema": schema}


_KOMMUNE = {
    "kommune": _text(
        "Kommune",
        "Id-en i kommunefilen, for eksempel haugesund. Da prøver Test det samme som «dataflyt kommune check --online».",
    )
}
_MASKINPORTEN = {
    "scope": _text("Scope", "Tilgangen tokenet skal gi, for eksempel {scope}. Gjennom KS Fiks: ks:fiks."),
    "issuer": _text(
        "Maskinporten (issuer)",
        "https://maskinporten.no/ i produksjon, https://test.maskinporten.no/ i test; skråstreken til slutt skal være "
        "med. Tokenet hentes på samme vert.",
    ),
    "kid": _text("Nøkkelens id (kid)", "Id-en nøkkelen er registrert under hos Digdir. Utelates når x5c er fylt ut."),
    "x5c": _list(
        "Sertifikatkjede (x5c)", "Bare for virksomhetssertifikat: kjeden i base64, et sertifikat på hver linje."
    ),
    "alg": _text("Signatur (alg)", "Tom betyr RS256.", enum=["RS256", "RS384", "RS512"]),
    "consumer_org": _text(
        "På vegne av (consumer_org)", "Kommunens organisasjonsnummer, når kommunen har delegert tilgangen i Altinn."
    ),
    "key_registered": _text(
        "Nøkkelen registrert", "Dagen nøkkelen ble registrert hos Digdir: 2026-01-31. dataflyt doctor varsler i tide."
    ),
}
_FIKS = {
    "rolle_id": _text("Rolle i KS Fiks", "rolleId fra Fiks (UUID), når kommunefilen ikke har den som «rolle»."),
    "integrasjon_id": _text("Integrasjonens id i KS Fiks", "Bare gjennom KS Fiks."),
    "integrasjon_passord": _secret("Integrasjonens passord i KS Fiks", "Bare gjennom KS Fiks."),
}
_LIMITS = {
    "contact": _text("Kontakt", "Adressen registeret kan skrive til. Den følger med hvert spørsmål."),
    "max_concurrent": _number("Samtidige spørsmål", "For én prosess; tom betyr 4.", "integer"),
    "max_per_second": _number("Spørsmål i sekundet", "For én prosess; tom betyr 15."),
}
_TOLD = {
    "tell": _text("E-post til", "Adressene til dem som drifter Dataflyt, med komma mellom."),
    "smtp": _text("Tilkobling til e-posttjeneren", "Tom betyr smtp_default."),
    "apprise": _text(
        "Tilkobling til Teams, Slack eller en webhook", "Navnet på en tilkobling av typen Apprise. Den får det samme."
    ),
    "route": _text("Vei", "Tom betyr skatteetaten.", enum=["skatteetaten", "fiks"]),
}
_CLIENT = {"host": "Adresse", "login": "Klient-id hos Maskinporten", "password": "Privat nøkkel (PEM)"}
_KEY = {"login": "3fa85f64-5717-4562-b3fc-2c963f66afa6", "password": "-----BEGIN PRIVATE KEY-----"}
_FOLDER = {"host": "Mappe"}


def _maskinporten(scope: str) -> dict[str, Any]:
    said = _MASKINPORTEN["scope"]
    return _MASKINPORTEN | {"scope": said | {"description": said["description"].format(scope=scope)}}


_FREG_SCOPE, _KRR_SCOPE = "folkeregister:deling/offentligmedhjemmel", "krr:global/kontaktinformasjon.read"
_FORMS: Final[dict[str, tuple[dict[str, str], dict[str, str], dict[str, Any]]]] = {
    "freg": (
        _CLIENT,
        _KEY | {"host": "https://folkeregisteret.api.skatteetaten.no/folkeregisteret/offentlig-med-hjemmel/api"},
        _KOMMUNE | _maskinporten(_FREG_SCOPE) | _FIKS | _LIMITS,
    ),
    "krr": (
        _CLIENT,
        _KEY | {"host": "https://kontaktregisteret.no"},
        _KOMMUNE | _maskinporten(_KRR_SCOPE) | _FIKS | _LIMITS,
    ),
    "freg_events": (
        _CLIENT,
        _KEY | {"host": "https://folkeregisteret.api.skatteetaten.no/folkeregisteret/offentlig-med-hjemmel/api"},
        _TOLD | _maskinporten(_FREG_SCOPE) | _FIKS | _LIMITS,
    ),
    "hr_files": (_FOLDER, {"host": "sftp://bruker@filer.example.no/hr/1106"}, _KOMMUNE),
    "sas_files": (_FOLDER, {"host": "sftp://bruker@filer.example.no/sas/1106"}, _KOMMUNE),
    "sas_calendars": (
        {"host": "Lenke til en kalender"},
        {"host": "https://timeplan.example.no/kalender.ics"},
        {"links": _list("Flere lenker", "En på hver linje. En lenke er hemmelig, som en nøkkel.")},
    ),
    "export_folder": (_FOLDER, {"host": "sftp://bruker@mottaker.example.no/inn"}, {}),
    "dataflyt_warehouse": (
        {"host": "Vert", "port": "Port", "schema": "Database", "login": "Rolle", "password": "Passord"},
        {"host": "varehus.example.no", "port": "5432", "schema": "warehouse", "login": "kommune_haugesund"},
        {
            "sslmode": _text(
                "Kryptering (sslmode)",
                "Tom betyr prefer. verify-full krever også riktig sertifikat.",
                enum=["disable", "prefer", "require", "verify-ca", "verify-full"],
            ),
            "sslrootcert": _text("Sertifikatutsteder (sslrootcert)", "Fil med utstederen, eller system."),
        },
    ),
}
"""For each type: the standard fields with their labels, their placeholders, and the fields of ``extra``."""
