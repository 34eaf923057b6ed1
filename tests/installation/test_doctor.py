"""``dataflyt doctor`` finds faults around a kommune before a run fails at night."""

import base64
import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID
from sqlalchemy import make_url
from typer.testing import CliRunner

from dataflyt.cli.main import app
from dataflyt.config.connections import Connection, NotDefined, path_of
from dataflyt.config.kommune import Delivery, Mail
from dataflyt.errors import ConfigError
from dataflyt.operations.doctor import Doctor
from dataflyt.registers import maskinporten
from dataflyt.storage import database
from dataflyt.warehouse import schema
from tests.installation.fixtures import Installation, _libpq
from tests.installation.test_delivery import PRIVATE, PUBLIC, Places

TODAY = date(2026, 11, 24)
REGISTERED = {"key_registered": "2026-06-01"}


def certificate(key: rsa.RSAPrivateKey, ends: date) -> str:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Testkommune")])
    end = datetime(ends.year, ends.month, ends.day, tzinfo=UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(end - timedelta(days=1095))
        .not_valid_after(end)
        .sign(key, hashes.SHA256())
    )
    return base64.b64encode(made.public_bytes(serialization.Encoding.DER)).decode()


@pytest.fixture
def examine(installation: Installation) -> Callable[..., list[tuple[str, str]]]:
    """Examine Haugesund with changed connections."""

    def examine(change: Callable[[Connection], Connection] = lambda one: one, **more: Any) -> list[tuple[str, str]]:
        def connect(name: str) -> Connection:
            found = installation.environment.connect(name)
            return change(replace(found, extra=found.extra | REGISTERED) if found.login else found)

        kommune = installation.kommune.model_copy(update={"mail": None})
        found = Doctor(more.get("connect", connect), Path, TODAY, Path("none")).examine(kommune)
        return [(finding.level, finding.sentence) for finding in found]

    return examine


def freg(**changed: Any) -> Callable[[Connection], Connection]:
    """Change FREG's connection: its own fields, else those of ``extra``."""

    def change(connection: Connection) -> Connection:
        if not connection.name.startswith("freg"):
            return connection
        own = {name: value for name, value in changed.items() if name in ("login", "password", "url")}
        extra = connection.extra | {name: value for name, value in changed.items() if name not in own}
        return replace(connection, **own, extra=extra)

    return change


CASES: list[tuple[dict[str, Any], str, str]] = [
    ({"key_registered": "2025-12-20"}, "soon", "utløper 20.12.2026, om 26 døgn: den som forvalter klienten"),
    ({"key_registered": "2025-11-20"}, "wrong", "utløp 20.11.2026"),
    ({"key_registered": "i fjor"}, "wrong", "skriv den slik: 2026-01-31"),
    ({"key_registered": None}, "unknown", "skriv datoen den ble registrert hos Digdir, som key_registered"),
    ({"scope": None, "login": None}, "wrong", "freg_haugesund mangler login, scope"),
    ({"password": "-----BEGIN hemmelig"}, "wrong", "legg inn en privat RSA-nøkkel"),
    ({"url": "http://freg.example.no"}, "wrong", "skriv en som begynner med https://"),
    ({"max_concurrent": "mange"}, "wrong", "har en max_concurrent som ikke kan brukes"),
    ({"consumer_org": "310000019"}, "wrong", "skriv 944073787 som consumer_org"),
    ({"consumer_org": "944073787"}, "fine", "tilkoblingene har det de skal ha"),
]
"""Changes in FREG's connection, with the severity and the words of the finding."""


def test_what_is_wrong_with_a_registers_connection(examine: Callable[..., list[tuple[str, str]]]) -> None:
    assert examine() == [("fine", "Varehuset svarer, og tilkoblingene har det de skal ha.")]
    for changed, level, said in CASES:
        found = [(kind, sentence) for kind, sentence in examine(freg(**changed)) if level == "fine" or kind != "fine"]
        assert [kind for kind, _ in found] == [level], changed
        assert said in found[0][1]
        assert "hemmelig" not in found[0][1]


def test_a_way_to_teams_that_nobody_has_made_is_found(installation: Installation) -> None:
    def connect(name: str) -> Connection:
        if name == "teams":
            raise ConfigError("Tilkoblingen teams mangler «host»: skriv hele adressen der.")  # Apprise's have none
        if name == "slack":
            raise NotDefined("Tilkoblingen slack finnes ikke i Airflow.")
        found = installation.environment.connect(name)
        return replace(found, extra=found.extra | REGISTERED) if found.login else found

    for apprise, wrong in (("teams", []), ("slack", ["Tilkoblingen slack finnes ikke i Airflow."])):
        kommune = installation.kommune.model_copy(update={"mail": Mail(apprise=apprise)})
        found = Doctor(connect, Path, TODAY, Path("none")).examine(kommune)
        assert [one.sentence for one in found if one.level == "wrong"] == wrong


def test_a_server_whose_log_quotes_rows_is_found(
    installation: Installation, examine: Callable[..., list[tuple[str, str]]]
) -> None:
    name = make_url(installation.warehouse_url).database
    with psycopg.connect(_libpq(make_url(installation.admin_url)), autocommit=True) as admin:
        admin.execute(f"alter database {name} set log_error_verbosity = verbose")  # type: ignore[arg-type]
    [(level, said)] = [one for one in examine() if one[0] != "fine"]
    assert level == "wrong"
    assert "log_min_error_statement = panic og log_error_verbosity = terse" in said


def test_a_certificate_says_itself_when_it_ends_and_whose_it_is(
    examine: Callable[..., list[tuple[str, str]]], signing_key: rsa.RSAPrivateKey
) -> None:
    soon = examine(freg(kid=None, x5c=[certificate(signing_key, date(2026, 12, 1))]))
    assert [level for level, _ in soon] == ["soon"]
    assert "Sertifikatet i tilkoblingen freg_haugesund utløper 01.12.2026, om 7 døgn" in soon[0][1]
    other = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    for wrong in (certificate(other, date(2028, 1, 1)), "MIIB"):
        found = examine(freg(kid=None, x5c=[wrong]))
        assert [level for level, _ in found] == ["wrong"]
        assert "kan ikke leses eller hører til en annen nøkkel" in found[0][1]


def test_a_certificate_opens_the_register(installation: Installation, signing_key: rsa.RSAPrivateKey) -> None:
    extra = {"kid": None, "x5c": [certificate(signing_key, date.today() + timedelta(days=90))], "alg": "RS384"}
    connection = freg(**extra)(installation.environment.connect("freg_haugesund"))
    assert maskinporten.token(replace(connection, name="freg_certificate"))
    ended = certificate(signing_key, date.today() - timedelta(days=2))
    with pytest.raises(ConfigError, match="MP-122"):
        maskinporten.token(freg(x5c=[ended])(replace(connection, name="freg_ended")))
    with pytest.raises(ConfigError, match="MP-011"):
        maskinporten.token(freg(consumer_org="310000019")(replace(connection, name="freg_own")))


def test_a_clock_that_is_wrong_is_said_once(
    installation: Installation, examine: Callable[..., list[tuple[str, str]]]
) -> None:
    installation.registers.faults.turn_on("clock")
    found = examine()
    assert [level for level, _ in found] == ["wrong"]
    assert found[0][1].endswith("sekunder for sakte: den som drifter maskinen, må stille den.")
    assert found[0][1].startswith(("Klokken på denne maskinen går 14", "Klokken på denne maskinen går 15"))


def test_what_is_not_there(installation: Installation, examine: Callable[..., list[tuple[str, str]]]) -> None:
    def connect(name: str) -> Connection:
        if name.startswith("krr"):
            raise ConfigError(f"Tilkoblingen {name} finnes ikke.")
        return freg(**REGISTERED)(installation.environment.connect(name))

    shutil.rmtree(installation.registers.drop / "1106" / "hr")
    with psycopg.connect(
        installation.warehouse_url.replace("+psycopg", "").replace("kommune_haugesund", "dataflyt")
    ) as db:
        db.execute("update alembic_version set version_num = '0001'")
    found = examine(connect=connect)
    assert [level for level, _ in found] == ["wrong"] * 3
    assert "kjør «dataflyt warehouse migrate»" in found[0][1]
    assert found[1][1] == "Tilkoblingen krr_haugesund finnes ikke."
    assert "Mappen i tilkoblingen hr_haugesund finnes ikke" in found[2][1]


@pytest.mark.new_connections
def test_a_server_that_cannot_serve_is_said(
    installation: Installation, examine: Callable[..., list[tuple[str, str]]]
) -> None:
    name = make_url(installation.warehouse_url).database
    with psycopg.connect(_libpq(make_url(installation.admin_url)), autocommit=True) as admin:
        for change, level, said in (
            ("set default_transaction_read_only = on", "wrong", "Varehuset kan bare leses"),
            ("reset default_transaction_read_only", "fine", "Varehuset svarer"),
            ("set statement_timeout = '400ms'", "fine", "Varehuset svarer"),  # a transaction of ours sets its own
            ("connection limit 0", "wrong", "ingen ledig tilkobling"),
        ):
            admin.execute(f"alter database {name} {change}")  # type: ignore[arg-type]
            found = examine()
            assert found[0][0] == level, change
            assert said in found[0][1]


def test_a_server_that_is_too_old_is_said_before_anything_else(
    installation: Installation, examine: Callable[..., list[tuple[str, str]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "MINIMUM", 99)
    with pytest.raises(ConfigError, match="trenger 99 eller nyere: den som drifter databasen, må oppgradere den"):
        schema.migrate(installation.warehouse_url, ["haugesund"])
    assert examine()[0] == (
        "wrong",
        "Varehuset er PostgreSQL 18, og Dataflyt trenger 99 eller nyere: den som drifter databasen, må oppgradere den.",
    )


def test_a_login_that_may_make_no_roles_is_told_which_right_it_lacks(installation: Installation) -> None:
    url = make_url(installation.warehouse_url).set(username="kommune_bergen").render_as_string(hide_password=False)
    with pytest.raises(ConfigError, match="alter role kommune_bergen createrole"):
        schema.migrate(url, ["nykommune"])


def test_the_command_has_a_line_a_finding_and_exit_code_1_when_something_is_wrong(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    kommune = installation.kommune
    names = [kommune.warehouse, *(getattr(kommune.sources, one).connection for one in ("freg", "krr", "hr", "sas"))]
    names += [kommune.mail.connection] if kommune.mail else []
    for name in names:
        found = Connection(name, "localhost") if name == "smtp_default" else installation.environment.connect(name)
        text = {"host": found.url, "login": found.login, "password": found.password, "extra": found.extra | REGISTERED}
        monkeypatch.setenv(f"AIRFLOW_CONN_{name.upper()}", json.dumps(text))
    well = CliRunner().invoke(app, ["doctor", "haugesund"])
    assert well.output == "OK haugesund: Varehuset svarer, og tilkoblingene har det de skal ha.\n"
    assert well.exit_code == 0
    monkeypatch.delenv("AIRFLOW_CONN_KRR_HAUGESUND")
    ill = CliRunner().invoke(app, ["doctor", "1106", "nowhere"])
    assert ill.exit_code == 1
    assert (
        "FEIL haugesund: Tilkoblingen krr_haugesund finnes ikke: sett miljøvariabelen AIRFLOW_CONN_KRR_HAUGESUND."
        in (ill.output)
    )
    assert ill.output.startswith("FEIL kommunefil: ")


def test_recipients_places_are_looked_at_before_anything_is_delivered_there(
    installation: Installation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, places = installation, Places(installation, tmp_path)
    monkeypatch.setenv("DATAFLYT_STORAGE", str(here.storage))
    doctor = Doctor(here.environment.connect, path_of, TODAY, Path("none"))

    def said(connection: str, kommune: str = "haugesund", *more: Delivery) -> list[str]:
        one = PUBLIC.model_copy(update={"connection": connection})
        examined = here.kommune.model_copy(update={"id": kommune, "delivery": {"pifu": (one, *more)}})
        return [
            found.sentence
            for found in doctor.examine(examined)
            if found.level == "wrong" and connection in found.sentence
        ]

    for name in ("deliver_a", "deliver_b"):
        Path(places.addresses[name]).chmod(0o700)
    assert said("deliver_b") == []
    places.addresses |= {"deliver_c": str(tmp_path / "nowhere"), "deliver_d": f"{here.storage}/exports/haugesund"}
    places.addresses |= {"deliver_e": f"file://{places.addresses['deliver_b']}/", "deliver_f": "memory://in"}
    assert said("deliver_c") == [
        "Mappen i tilkoblingen deliver_c finnes ikke: rett adressen, eller koble til filområdet."
    ]
    assert "Mappen i tilkoblingen deliver_d er i Dataflyts eget lager: bruk en annen mappe." in said("deliver_d")
    assert said("deliver_f") == [], "an object store has no folder before there is something in it"
    assert said("deliver_g")[0].startswith("Tilkoblingen deliver_g finnes ikke")
    one_folder = "bruk én mappe til hver mottaker og kommune."
    assert said("deliver_b") == []
    assert said("deliver_e", "bergen") == [
        f"Mappen i tilkoblingen deliver_e er også mappen til kommunen haugesund: {one_folder}"
    ]
    shares = PRIVATE.model_copy(update={"connection": "deliver_e"})
    (sentence,) = [
        found.sentence
        for found in doctor.examine(here.kommune.model_copy(update={"delivery": {"pifu": (PUBLIC, shares)}}))
        if "samme" in found.sentence or "også mappen" in found.sentence
    ]
    assert sentence == f"Mappen i tilkoblingen deliver_e er også mappen til Oppvekst: {one_folder}"
    places.addresses["deliver_h"] = "sftp://dataflyt:hemmelig@127.0.0.1:1/in"
    assert "hemmelig" not in str(said("deliver_h"))
    assert said("deliver_h") != []
