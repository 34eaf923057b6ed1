import json
import signal
import subprocess
import sys
import time
from datetime import timedelta

import httpx
import jwt
import pytest
import yaml
from cryptography.hazmat.primitives.asymmetric import rsa

from simulator import fiks, manifest
from simulator.maskinporten import FREG, GRANT_TYPE, KRR_CONTACT, KRR_MAILBOX, OWN_ORGNR
from simulator.server import FREG_PATH
from tests.simulator.conftest import Registers

ALL_PARTS = ("person-basis", "relasjon-utvidet", "identitetsgrunnlag-utvidet", "historikk")


def pupil(world, case):
    return next(p.person for p in world.pupils if case in p.cases)


# -- Maskinporten


def test_a_good_grant_gives_a_token_that_opens_freg(registers, world):
    answer = registers.token(registers.grant()).json()
    assert answer["token_type"] == "Bearer"
    assert answer["scope"] == FREG
    assert 0 < answer["expires_in"] < 3600
    consumer = jwt.decode(answer["access_token"], options={"verify_signature": False})["consumer"]
    assert consumer == {"authority": "iso6523-actorid-upis", "ID": f"0192:{OWN_ORGNR}"}
    assert registers.freg([pupil(world, "seed_baug").number]).status_code == 200


def test_metadata_tells_issuer_and_token_endpoint(registers):
    metadata = registers.http.get("/.well-known/oauth-authorization-server").json()
    assert metadata["issuer"] == "http://simulator.test/"
    assert metadata["token_endpoint"] == "http://simulator.test/token"


@pytest.mark.parametrize(
    ("changed", "error", "code"),
    [
        ({"aud": "http://simulator.test"}, "invalid_grant", "MP-110"),
        ({"aud": None}, "invalid_grant", "MP-110"),
        ({"iss": "somebody"}, "invalid_grant", "MP-100"),
        ({"scope": "folkeregister:deling/finans"}, "invalid_scope", "MP-200"),
        ({"scope": f"{FREG} other:scope"}, "invalid_scope", "MP-200"),
        ({"scope": None}, "invalid_scope", "MP-200"),
        ({"exp": timedelta(seconds=600)}, "invalid_grant", "120 s"),
        ({"iat": timedelta(seconds=-200), "exp": timedelta(seconds=-100)}, "invalid_grant", "MP-130"),
        ({"iat": timedelta(seconds=-90), "exp": timedelta(seconds=30)}, "invalid_grant", "MP-130"),
        ({"iat": timedelta(seconds=300), "exp": timedelta(seconds=400)}, "invalid_grant", "Issue time is after now"),
        ({"iat": None}, "invalid_request", "MP-011"),
        ({"exp": None}, "invalid_request", "MP-011"),
        ({"resource": "https://one.example"}, "invalid_request", "MP-011"),
        ({"headers": {"kid": "another"}}, "invalid_grant", "MP-120"),
        ({"headers": {}}, "invalid_grant", "MP-120"),
        ({"key": rsa.generate_private_key(public_exponent=65537, key_size=2048)}, "invalid_grant", "MP-124"),
        ({"headers": {"x5c": "MIIB"}}, "invalid_grant", "MP-123"),
        ({"headers": {"x5c": ["MIIB"], "kid": "kid-1"}}, "invalid_grant", "MP-120"),
        ({"consumer_org": "974760673"}, "invalid_grant", "MP-251"),
        ({"consumer_org": OWN_ORGNR}, "invalid_request", "MP-011"),
        ({"key": "a shared secret that is long enough", "alg": "HS256"}, "invalid_grant", "MP-124"),
    ],
)
def test_a_bad_grant_is_refused_with_maskinportens_code(registers, changed, error, code):
    now = int(time.time())
    claims = {name: now + int(at.total_seconds()) if isinstance(at, timedelta) else at for name, at in changed.items()}
    answer = registers.token(registers.grant(**claims))
    assert answer.status_code == 400
    assert answer.json()["error"] == error
    assert code in answer.json()["error_description"]


@pytest.mark.parametrize("alg", ["RS384", "RS512"])
def test_a_delegated_grant_gives_a_token_for_both_parties(registers, world, alg):
    answer = registers.token(registers.grant(alg=alg, consumer_org=world.kommune.orgnr)).json()
    claims = jwt.decode(answer["access_token"], options={"verify_signature": False})
    assert claims["consumer"]["ID"] == f"0192:{world.kommune.orgnr}"
    assert claims["supplier"]["ID"] == f"0192:{OWN_ORGNR}"


def test_a_key_is_good_for_a_year(world, key):
    registers = Registers(world, key, registered=time.time())
    registers.offset = 364 * 24 * 3600
    assert registers.token(registers.grant()).status_code == 200
    registers.offset = 366 * 24 * 3600
    assert "MP-121" in registers.token(registers.grant()).json()["error_description"]


def test_a_grant_works_once(registers):
    grant = registers.grant()
    assert registers.token(grant).status_code == 200
    assert "MP-012" in registers.token(grant).json()["error_description"]
    without_id = registers.grant(jti=None)
    assert registers.token(without_id).status_code == 200
    assert "MP-012" in registers.token(without_id).json()["error_description"]


def test_rubbish_is_no_grant(registers):
    assert "MP-011" in registers.token("rubbish").json()["error_description"]
    assert registers.token(registers.grant(), "client_credentials").json()["error"] == "unsupported_grant_type"
    assert registers.http.post("/token", json={"grant_type": GRANT_TYPE}).status_code == 400


def test_a_token_ends(registers):
    headers = registers.bearer()
    url = f"{FREG_PATH}/00000000000"
    assert registers.http.get(url, headers=headers).status_code == 404
    registers.offset += 600
    assert registers.http.get(url, headers=headers).status_code == 401


# -- FREG


def test_freg_gives_the_parts_asked_for_and_no_more(registers, world):
    baug = pupil(world, "seed_baug").number
    answer = registers.freg([baug], "navn", "foreldreansvar").json()["oppslag"][0]["folkeregisterperson"]
    assert set(answer) == {"identifikasjonsnummer", "navn", "foreldreansvar"}
    assert "familierelasjon" not in registers.freg([baug]).json()["oppslag"][0]["folkeregisterperson"]
    single = registers.http.get(
        f"{FREG_PATH}/{baug}", params={"part": ["navn", "foreldreansvar"]}, headers=registers.bearer()
    )
    assert single.json() == answer


def test_only_history_tells_what_was(registers, world):
    number = pupil(world, "changed_name").number
    now = registers.freg([number], "navn", "bostedsadresse").json()["oppslag"][0]["folkeregisterperson"]
    then = registers.freg([number], "navn", "bostedsadresse", "historikk").json()["oppslag"][0]["folkeregisterperson"]
    assert [len(now["navn"]), len(now["bostedsadresse"])] == [1, 1]
    assert [[e["erGjeldende"] for e in then[part]] for part in ("navn", "bostedsadresse")] == [
        [False, True],
        [False, True],
    ]
    former = pupil(world, "former_guardian").number
    assert (
        len(registers.freg([former], "foreldreansvar").json()["oppslag"][0]["folkeregisterperson"]["foreldreansvar"])
        == 1
    )


def test_somebody_strengt_fortrolig_has_no_residential_address(registers, world):
    strict = [p.number for p in world.persons.values() if p.protection == "strengtFortrolig"]
    assert len(strict) >= 3
    for lookup in registers.freg(strict, *ALL_PARTS).json()["oppslag"]:
        person = lookup["folkeregisterperson"]
        assert {"bostedsadresse", "oppholdsadresse", "deltBosted"}.isdisjoint(person)
        assert person["adressebeskyttelse"][0]["graderingsnivaa"] == "strengtFortrolig"


def test_somebody_fortrolig_has_a_graded_address(registers, world):
    person = registers.freg([pupil(world, "fortrolig").number]).json()["oppslag"][0]["folkeregisterperson"]
    assert person["bostedsadresse"][0]["adressegradering"] == "fortrolig"


def test_unknown_numbers_come_back_with_feilmelding(registers, world):
    number = pupil(world, "unknown_to_freg").number
    lookup = registers.freg([number, "rubbish"]).json()["oppslag"]
    assert [set(entry) for entry in lookup] == [{"foedselsEllerDNummer", "feilmelding"}] * 2
    assert lookup[0]["feilmelding"]["feilmelding"]


def test_an_old_number_finds_the_person_who_has_a_new_one(registers, world):
    child = pupil(world, "changed_number")
    lookup = registers.freg([child.old_number], "navn").json()["oppslag"][0]
    assert lookup["foedselsEllerDNummer"] == child.old_number
    numbers = {n["foedselsEllerDNummer"]: n["status"] for n in lookup["folkeregisterperson"]["identifikasjonsnummer"]}
    assert numbers == {child.old_number: "opphoert", child.number: "iBruk"}
    assert "feilmelding" in registers.freg([child.old_number], "navn", somBestilt="true").json()["oppslag"][0]


def test_freg_answers_by_number_and_not_by_position(registers, world):
    numbers = sorted(world.persons)[:5][::-1]
    answered = [
        entry["foedselsEllerDNummer"] for entry in registers.freg([*numbers, numbers[0]], "navn").json()["oppslag"]
    ]
    assert sorted(answered) == sorted(numbers)
    assert answered not in (numbers, sorted(numbers))
    ordered = registers.freg([*numbers, numbers[0]], "navn", somBestilt="true").json()["oppslag"]
    assert [entry["foedselsEllerDNummer"] for entry in ordered] == [*numbers, numbers[0]]


def test_freg_refuses_as_documented(registers):
    url = f"{FREG_PATH}/bulkoppslag"
    body = {"foedselsEllerDNummer": ["00000000000"]}
    assert registers.http.post(url, json=body).json()["httpStatus"] == 401
    assert registers.http.post(url, json=body, headers={"Authorization": "Bearer made-up"}).status_code == 401
    assert registers.http.post(url, json=body, headers=registers.bearer(KRR_CONTACT[0])).status_code == 403
    assert (
        registers.http.post(
            url, json=body, headers=registers.bearer("folkeregister:deling/offentligutenhjemmel")
        ).status_code
        == 403
    )
    assert (
        registers.http.post(url, json=body, headers=registers.bearer(resource=["https://freg.example"])).status_code
        == 401
    )
    assert registers.http.post(url, content=json.dumps(body), headers=registers.bearer()).status_code == 400
    assert (
        registers.http.post(
            url, content="{", headers=registers.bearer() | {"Content-Type": "application/json"}
        ).status_code
        == 400
    )
    assert (
        registers.http.post(url, json=body, headers=registers.bearer() | {"Accept": "application/xml"}).status_code
        == 406
    )
    unknown_part = registers.freg(["00000000000"], "navn", "noe")
    assert unknown_part.status_code == 400
    assert set(unknown_part.json()) == {"kode", "melding"}


def test_more_than_1000_numbers_are_too_many(registers):
    assert registers.freg([f"{n:011d}" for n in range(1000)], "navn").status_code == 200
    assert registers.freg([f"{n:011d}" for n in range(1001)], "navn").status_code == 400
    assert registers.krr([f"{n:011d}" for n in range(1000)]).status_code == 200
    assert registers.krr([f"{n:011d}" for n in range(1001)]).json()["errors"][0]["status"] == "400"
    assert registers.krr([]).status_code == 400


def test_every_freg_canary_is_in_freg_unless_the_address_is_withheld(registers, world):
    for person in manifest.people(world):
        tokens = {where: word for where, word in person["canaries"].items() if where.startswith(("navn.", "freg."))}
        if tokens:
            text = registers.freg([person["number"]], "navn", "bostedsadresse", "oppholdsadresse").text
            withheld = person["protection"]["own"] == "strengtFortrolig"
            for where, word in tokens.items():
                assert (word.lower() in text.lower()) is not (withheld and where.startswith("freg.")), (where, word)


def test_answers_fit_skatteetatens_openapi(registers, world, reference):
    jsonschema = pytest.importorskip("jsonschema")
    api = yaml.safe_load((reference / "freg" / "freg-offentlig-med-hjemmel-openapi-1.5.yaml").read_text())

    components = {"schemas": _closed(api["components"]["schemas"])}
    wanted = "folkeregisteret.tilgjengeliggjoering.person.v1.bulk.response.PersonBulkoppslagResponse"
    schema = {"$ref": f"#/components/schemas/{wanted}", "components": components}
    odd = pupil(world, "unknown_grading").number  # breaks the schema on purpose
    answer = registers.freg([number for number in world.persons if number != odd][:1000], *ALL_PARTS).json()
    jsonschema.Draft4Validator(schema).validate(answer)
    assert len(answer["oppslag"]) > 900


# -- FREG's extracts


def extract(registers, **wanted):
    url = FREG_PATH.removesuffix("/personer") + "/uttrekk"
    job = registers.http.post(f"{url}/tilpasset", json=wanted, headers=registers.bearer())
    return f"{url}/{job.json()['jobbId']}/batch" if job.status_code == 200 else job


def test_an_extract_is_not_ready_then_ends_and_then_is_gone(registers, world):
    born = {"foedselsaarFraOgMed": "2012", "foedselsaarTilOgMed": "2016"}
    url = extract(registers, personstatustyper=["bosatt"], kommunenummer={"bostedskommunenummer": "1106"}, **born)
    statuses, found = [], []
    for batch in range(20):
        for _ in range(2):
            answer = registers.http.get(f"{url}/{batch}", headers=registers.bearer())
            statuses.append(answer.status_code)
        if answer.json() == {}:
            break
        found += answer.json()["foedselsEllerDNummer"]
    assert statuses == [404, 200] * (batch + 1)
    assert batch > 1
    people = [world.find(number) for number in found]
    assert {person.status for person in people} == {"bosatt"}
    assert all(2012 <= person.born.year <= 2016 and person.home.kommunenummer == "1106" for person in people)
    assert not any(person.protection == "strengtFortrolig" for person in people)
    assert registers.http.get(f"{url}/0", headers=registers.bearer()).status_code == 410


def test_ten_orders_at_a_time_are_all_that_an_extract_takes(registers):
    for _ in range(10):
        assert isinstance(extract(registers, personstatustyper=["doed"]), str)
    refused = extract(registers, personstatustyper=["doed"])
    assert (refused.status_code, refused.headers["Retry-After"]) == (429, "2000")
    assert extract(registers, kommunenummer={}).status_code == 400
    assert registers.http.get(f"{FREG_PATH.removesuffix('/personer')}/uttrekk/x/batch/0").status_code == 401


# -- KS Fiks


def fiks_post(registers, path, body, headers=None, **query):
    given = registers.bearer("ks:fiks") | fiks.INTEGRATION if headers is None else headers
    return registers.http.post(path, json=body, headers=given, params=query)


def at(path):
    return path.format(rolle=fiks.rolle_of("1106"))


def test_fiks_passes_freg_on_for_what_the_rolle_is_for(registers, world):
    numbers = sorted(world.persons)[:20]
    url, body = f"{at(fiks.FREG)}/personer/bulkoppslag", {"foedselsEllerDNummer": numbers}
    passed_on = fiks_post(registers, url, body, part=["navn", "foreldreansvar"]).json()
    assert passed_on == registers.freg(numbers, "navn", "foreldreansvar").json()
    for refused in ({}, {"part": ["person-basis"]}, {"part": ["sivilstand"]}):
        assert fiks_post(registers, url, body, **refused).status_code == 403
    bearer = registers.bearer("ks:fiks")
    for headers, status in (
        (fiks.INTEGRATION, 401),
        (bearer, 403),
        (bearer | fiks.INTEGRATION | {"IntegrasjonPassord": "feil"}, 403),
        (registers.bearer() | fiks.INTEGRATION, 403),
    ):
        answer = fiks_post(registers, url, body, headers, part=["navn"])
        assert (answer.status_code, answer.json()["status"]) == (status, status)
    other = url.replace("1106", "9999")
    assert fiks_post(registers, other, body, part=["navn"]).status_code == 403


def test_the_answers_of_fiks_fit_its_openapi(registers, world, reference):
    jsonschema = pytest.importorskip("jsonschema")
    apis = [
        json.loads((reference / "fiks" / f"{name}-api-v1.json").read_text()) for name in ("register-krr", _OPPVEKST)
    ]
    schemas = {name: schema for api in apis for name, schema in api["components"]["schemas"].items()}
    components = {"schemas": _closed(schemas)}

    def check(wanted, instance):
        schema = {"$ref": f"#/components/schemas/{wanted}", "components": components}
        jsonschema.Draft4Validator(schema).validate(instance)

    children = [p.person for p in world.pupils if p.person and "unknown_grading" not in p.cases]
    body = {"foedselsnumre": [child.number for child in children]}
    pupils = fiks_post(registers, f"{at(fiks.REGISTER)}/oppvekst", body).json()
    for one in pupils:
        check("PersonDefinisjon", one)
    guardians = [guardian for one in pupils for guardian in one["foreldreansvarlige"]]
    assert len(pupils) > 300
    assert {"navn" in guardian for guardian in guardians} == {True, False}

    asked = [person.number for person in world.persons.values() if person.contact][:50]
    found = [fiks_post(registers, f"{at(fiks.REGISTER)}/krr/person", {"fnr": number}) for number in asked]
    for one in found:
        check("KrrDefinisjon", one.json())
    refused = fiks_post(registers, f"{at(fiks.REGISTER)}/krr/person", {"fnr": children[0].number})
    assert refused.status_code == 404
    check("ErrorMessage", refused.json())


_OPPVEKST = "folkeregister-oppvekst"


def test_krr_fits_what_digdir_and_its_clients_have_published(registers, world, reference):
    published = json.loads((reference / "krr" / "krr_personer_response.json").read_text())
    known = {key for person in published["personer"] for key in _keys(person)}
    known |= {"reservasjon_oppdatert", "kontaktinformasjon.epostadresse_duplisert"}
    known |= {"digital_post.postkasseadresse", "digital_post.postkasseleverandoeradresse"}
    scopes = f"{KRR_CONTACT[0]} {KRR_MAILBOX[0]}"
    numbers = sorted(world.persons)[:1000]
    answer = registers.krr(numbers, scopes).json()["personer"]
    assert {key for person in answer for key in _keys(person)} <= known
    assert registers.http.post(
        "/rest/v1/personer", json={"personidentifikatorer": numbers}, headers=registers.bearer(scopes)
    ).json() == {"personer": answer}
    assert [person["personidentifikator"] for person in answer] != numbers


def _keys(value, before=""):
    for key, found in value.items():
        yield from _keys(found, f"{before}{key}.") if isinstance(found, dict) else [before + key]


def _closed(node):
    """Allow no properties but those that are named."""
    if isinstance(node, dict):
        closed = {key: _closed(value) for key, value in node.items()}
        return closed | {"additionalProperties": False} if "properties" in node else closed
    return [_closed(value) for value in node] if isinstance(node, list) else node


# -- KRR


def test_krr_tells_each_state_of_contact(registers, world):
    by_case = {case: p.number for p in world.persons.values() for case in p.cases if case.startswith("krr_")}
    fresh = next(p.number for p in world.persons.values() if p.canary and p.contact)
    answer = {p["personidentifikator"]: p for p in registers.krr([*by_case.values(), fresh]).json()["personer"]}
    state = {case: answer[number] for case, number in by_case.items()}
    assert (state["krr_missing"]["status"], state["krr_deleted"]["status"]) == ("IKKE_REGISTRERT", "SLETTET")
    assert state["krr_reserved"]["reservasjon"] == "JA"
    assert state["krr_reserved"]["reservasjonstidspunkt"]
    assert state["krr_expired"]["varslingsstatus"] == "KAN_IKKE_VARSLES"
    assert state["krr_expired"]["kontaktinformasjon"]["epostadresse"]
    assert "kontaktinformasjon" not in state["krr_filtered"]
    assert "mobiltelefonnummer" not in state["krr_only_email"]["kontaktinformasjon"]
    assert "epostadresse" not in state["krr_only_mobile"]["kontaktinformasjon"]
    assert answer[fresh]["varslingsstatus"] == "KAN_VARSLES"
    assert answer[fresh]["kontaktinformasjon"]["epostadresse_sist_verifisert"].endswith(("+02", "+01"))


def test_krr_gives_what_the_scope_allows(registers, world):
    number = next(p.number for p in world.persons.values() if p.canary and p.contact)
    assert "kontaktinformasjon" not in registers.krr([number], KRR_MAILBOX[0]).json()["personer"][0]
    assert registers.krr([number], FREG).json()["errors"][0]["status"] == "403"
    assert registers.http.post("/rest/v2/personer", json={"personidentifikatorer": [number]}).status_code == 401
    assert (
        registers.http.post("/rest/v2/personer", content="x", headers=registers.bearer(KRR_CONTACT[0])).status_code
        == 400
    )


def test_every_krr_canary_is_in_krr(registers, world):
    for person in manifest.people(world):
        tokens = [word for where, word in person["canaries"].items() if where.startswith("krr.")]
        if tokens:
            text = registers.krr([person["number"]]).text.lower()
            assert all(word.lower() in text for word in tokens)


# -- the process


def test_the_server_says_when_it_is_ready_answers_and_stops(tmp_path, key):
    jwk = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(key.public_key())) | {"kid": "demo"}
    (tmp_path / "key.json").write_text(json.dumps(jwk))
    ready = tmp_path / "ready.json"
    command = [sys.executable, "-m", "simulator", "serve", "--seed", "1", "--date", "2026-11-23", "--port", "0"]
    command += [
        "--drop",
        str(tmp_path),
        "--key",
        str(tmp_path / "key.json"),
        "--ready",
        str(ready),
        "--client-id",
        "client-1",
    ]
    bodies = []
    for _ in range(2):
        ready.unlink(missing_ok=True)
        with subprocess.Popen(command) as process:
            try:
                for _ in range(300):
                    if ready.exists():
                        break
                    time.sleep(0.1)
                url = json.loads(ready.read_text())["url"]
                now = int(time.time())
                claims = {"aud": f"{url}/", "iss": "client-1", "scope": FREG, "iat": now, "exp": now + 100, "jti": "1"}
                assertion = jwt.encode(claims, key, "RS256", headers={"kid": "demo"})
                token = httpx.post(f"{url}/token", data={"grant_type": GRANT_TYPE, "assertion": assertion}).json()[
                    "access_token"
                ]
                numbers = [line["number"] for line in _people() if line["number"]][:1000]
                body = {"foedselsEllerDNummer": numbers}
                answer = httpx.post(
                    f"{url}{FREG_PATH}/bulkoppslag?part=navn&part=foreldreansvar",
                    json=body,
                    headers={"Authorization": f"Bearer {token}"},
                )
                assert answer.status_code == 200
                bodies.append(answer.content)
            finally:
                process.send_signal(signal.SIGTERM)
            assert process.wait(10) in (0, -signal.SIGTERM)
    assert bodies[0] == bodies[1]
    assert sorted(p.name for p in (tmp_path / "1106" / "hr").iterdir()) == ["Stamdata3_1106_20261123.xml"]


def _people():
    command = [sys.executable, "-m", "simulator", "people", "--date", "2026-11-23"]
    return [json.loads(line) for line in subprocess.run(command, check=True, capture_output=True).stdout.splitlines()]
