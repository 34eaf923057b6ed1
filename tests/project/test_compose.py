"""Several machines: docker-compose.yaml, Dockerfile and .env.example fit each other, Airflow and this repository."""

import os
import re
import shlex
import subprocess
import sys
from fnmatch import fnmatch
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "docker-compose.yaml").read_text(encoding="utf-8")
COMPOSE = yaml.safe_load(TEXT)
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = {name: service for name, service in SERVICES.items() if "build" in service}
ONE_SHOT = {name for name, service in SERVICES.items() if service["restart"] == "no"}
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ")
ENV_EXAMPLE = (ROOT / ".env.example").read_text(encoding="utf-8")
EXAMPLE = dict(line.split("=", 1) for line in ENV_EXAMPLE.splitlines() if line and not line.startswith("#"))
OPTIONAL = set(re.findall(r"^#([A-Z_]+)=", ENV_EXAMPLE, re.MULTILINE))
"""Variables that are commented out."""
SECRET = re.compile(r"PASSWORD|SECRET|_KEY\b|ACCESS_KEY_ID|REDISCLI_AUTH")


def environments() -> dict[str, dict[str, str]]:
    """Return the environment of each service, as written in the file."""
    return {name: service.get("environment", {}) for name, service in SERVICES.items()}


def commands() -> dict[str, list[list[str]]]:
    """Return the commands of each of our services; a shell line is split into its commands."""
    found = {}
    for name, service in OURS.items():
        words = service["command"]
        lines = words[2].split("&&") if words[:2] == ["sh", "-c"] else [shlex.join(words)]
        found[name] = [shlex.split(line) for line in lines]
        test = service.get("healthcheck", {}).get("test", ["NONE"])
        if test[0] != "NONE":
            found[name].append(shlex.split(test[1]) if test[0] == "CMD-SHELL" else test[1:])
    return found


def mounted(service: str) -> dict[str, dict[str, Any]]:
    """Return a service's mounts: each volume of the short form in the long form."""
    found = {}
    for volume in SERVICES[service].get("volumes", []):
        if isinstance(volume, str):
            source, target, *more = volume.split(":")
            kind = "bind" if source.startswith("./") else "volume"
            volume = {"type": kind, "source": source, "target": target, "read_only": more == ["ro"]}
        found[volume["target"]] = volume
    return found


def test_docker_compose_understands_the_file() -> None:
    check = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec"]
    done = subprocess.run([*check, ROOT / "docker-compose.yaml"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_whatever_a_service_waits_for_and_keeps_is_there() -> None:
    volumes = set()
    for name, service in SERVICES.items():
        for other, how in service.get("depends_on", {}).items():
            assert other in SERVICES, f"{name} waits for {other}"
            assert how["condition"] == ("service_completed_successfully" if other in ONE_SHOT else "service_healthy"), (
                f"{name} waits for {other}"
            )
            # A service that others need must not be only in a profile.
            assert not SERVICES[other].get("profiles") or service.get("profiles") or how["required"] is False
        for volume in mounted(name).values():
            source = re.sub(r"\$\{\w+:-([^}]+)\}", r"\1", volume["source"])
            if volume["type"] == "volume":
                volumes.add(source)
            elif source != "./kommuner":  # the operator makes it
                assert (ROOT / source).exists()
                assert os.access(ROOT / source, os.X_OK) or not source.endswith(".sh")
    assert volumes == set(COMPOSE["volumes"])


def test_kommune_files_are_the_operators_and_only_the_demo_has_made_up_ones() -> None:
    for name in OURS.keys() - {"object-store", "feide"}:
        folder = mounted(name)["/opt/dataflyt/kommuner"]
        assert folder["source"] == "${KOMMUNER_FOLDER:-./kommuner}"
        # Docker makes a missing folder as root, and then nobody else can write in it.
        assert folder["bind"] == {"create_host_path": False}
        assert bool(folder.get("read_only")) == (name not in ("airflow-init", "demo-kommuner"))
    production, _, demo = DOCKERFILE.partition("FROM dataflyt AS demo")
    assert "DATAFLYT_KOMMUNER=/opt/dataflyt/kommuner" in production
    for made_up in ("include/kommuner", "include/simulator", "include/supervisor"):
        assert made_up not in production
        assert f"COPY {made_up} {made_up}" in demo
    copied = SERVICES["demo-kommuner"]["command"]
    assert {ROOT / word for word in copied if word.endswith(".yaml")} == set((ROOT / "include/kommuner").glob("*.yaml"))
    assert SERVICES["demo-kommuner"]["profiles"] == ["demo"]
    assert SERVICES["airflow-init"]["depends_on"]["demo-kommuner"]["required"] is False


def test_what_is_started_here_is_reached_without_the_proxy() -> None:
    for service in ("airflow-scheduler", "worker-1", "airflow-init", "simulator-setup"):
        environment = environments()[service]
        for passed in ("HTTP_PROXY", "HTTPS_PROXY", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"):
            assert environment[passed] is None, "an empty one would be another thing than none"
        here, _, more = environment["NO_PROXY"].partition("$")
        silent = {"airflow-dag-processor", "airflow-triggerer", "statsd", "prometheus", "grafana"}
        talked_to = SERVICES.keys() - ONE_SHOT - silent
        assert set(here.split(",")) == {"localhost", "127.0.0.1", *talked_to}
        assert f"${more}" == "${NO_PROXY:+,}${NO_PROXY:-}"


def test_links_in_mails_have_a_host_and_logs_a_place() -> None:
    for service in ("airflow-scheduler", "airflow-dag-processor", "airflow-triggerer", "worker-1"):
        environment = environments()[service]
        assert environment["AIRFLOW__API__BASE_URL"].startswith("${AIRFLOW_BASE_URL:?")
        assert environment["AIRFLOW__LOGGING__REMOTE_LOGGING"] == "${REMOTE_LOGGING:-false}"
        assert environment["AIRFLOW__LOGGING__FILE_TASK_HANDLER_NEW_FILE_PERMISSIONS"] == "0o600"


def test_the_processes_that_fork_tasks_and_no_others_import_their_modules_first() -> None:
    forks = {name for name, environment in environments().items() if "DATAFLYT_PRELOAD" in environment}
    celery = ["airflow", "celery", "worker"]
    assert forks == {name for name, service in OURS.items() if service["command"][:3] == celery}
    helm = yaml.safe_load((ROOT / "deploy" / "helm-values.yaml").read_text(encoding="utf-8"))
    assert helm["workers"]["env"] == [{"name": "DATAFLYT_PRELOAD", "value": "1"}]


def test_no_machine_needs_the_disk_of_another() -> None:
    users: dict[str, list[str]] = {}
    for name in SERVICES:
        for volume in mounted(name).values():
            if volume["type"] == "volume":
                users.setdefault(volume["source"], []).append(name)
    assert {volume: names for volume, names in users.items() if len(names) > 1} == {
        "demo": ["simulator-setup", "simulator"]  # the simulated client's key
    }
    assert {"worker-1", "worker-2"} <= SERVICES.keys()


def test_env_example_explains_every_variable_and_no_other() -> None:
    used = set(re.findall(r"(?<!\$)\$\{([A-Z_]+)", TEXT))
    passed_on = {name for found in environments().values() for name, value in found.items() if value is None}
    assert passed_on <= OPTIONAL
    assert used | passed_on == EXAMPLE.keys() | OPTIONAL


def test_a_variable_that_must_be_set_says_why_when_it_is_not() -> None:
    required = dict(re.findall(r"(?<!\$)\$\{([A-Z_]+):\?([^}]*)\}", TEXT))
    assert {name for name, value in EXAMPLE.items() if not value} == set(required)
    assert all(len(sentence) > 20 for sentence in required.values())
    with_default = set(re.findall(r"(?<!\$)\$\{([A-Z_]+):-", TEXT))
    assert not with_default & set(required), "a secret has no default"


def test_no_file_holds_a_secret() -> None:
    for name, value in EXAMPLE.items():
        assert not (SECRET.search(name) and value), f"{name} has a value in .env.example"
    for service, environment in environments().items():
        for name, value in environment.items():
            for password in re.findall(r"://[^:/@\"]*:([^@\"]*)@", str(value)):
                assert re.fullmatch(r"\$\{[^}]+\}", password), f"{service}: {name}"
            if SECRET.search(name):
                assert re.fullmatch(r"\$\{[^}]+\}", str(value)), f"{service}: {name}"
    assert not re.search(r"(ENV|ARG)[^\n]*(PASSWORD|SECRET|TOKEN)", DOCKERFILE)
    assert ".env" in (ROOT / ".gitignore").read_text(encoding="utf-8").split()


def test_a_worker_knows_no_key_to_airflows_database() -> None:
    for name in ("worker-1", "worker-2"):
        text = str(SERVICES[name])
        for kept in ("METADATA_PASSWORD", "FERNET", "JWT_SECRET", "WAREHOUSE_PASSWORD", "SUPERUSER"):
            assert kept not in text


def test_every_service_is_watched_limited_and_started_again() -> None:
    for name, service in SERVICES.items():
        assert service["deploy"]["resources"]["limits"].keys() == {"cpus", "memory"}, name
        assert service["logging"]["options"].keys() == {"max-size", "max-file"}, name
        if name in ONE_SHOT:
            waiting = [one for one in SERVICES.values() if name in one.get("depends_on", {})]
            assert waiting, f"nobody waits for {name}"
        else:
            assert service["restart"] == "unless-stopped", name
            assert service["healthcheck"]["test"], name


def test_versions_are_pinned() -> None:
    images = [service["image"] for service in SERVICES.values()]
    images += re.findall(r"^FROM (\S+:\S+)", DOCKERFILE, re.MULTILINE)
    assert len(images) > len(SERVICES)
    for image in images:
        assert re.search(r":v?\d+\.\d+", image), image
    installing = re.findall(r"pip install ([^\n&;]*)", DOCKERFILE)
    assert len(installing) == 4
    for words in installing:
        with_hashes = "--require-hashes --no-deps --requirement requirements" in words
        assert with_hashes or words.strip() in (
            "--no-deps --editable .",
            "--constraint /tmp/installed.txt $PACKAGES",
        ), words


def test_the_image_is_made_of_files_that_are_here_and_sent_to_the_builder() -> None:
    patterns = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    sent = [pattern[1:] for pattern in patterns if pattern.startswith("!")]
    sources = [word for line in re.findall(r"^COPY (.*) \S+$", DOCKERFILE, re.MULTILINE) for word in line.split()]
    assert {"dags", "include/dataflyt", "plugins", "deploy/requirements.txt"} <= set(sources)
    for source in sources:
        assert (ROOT / source).exists(), source
        assert any(fnmatch(source, pattern) or fnmatch(source.split("/")[0], pattern) for pattern in sent), source
    stages = set(re.findall(r"^FROM \S+ AS (\S+)", DOCKERFILE, re.MULTILINE))
    assert {service["build"]["target"] for service in OURS.values()} == stages


def test_nothing_runs_as_root_in_our_image() -> None:
    for stage in re.split(r"^FROM ", DOCKERFILE, flags=re.MULTILINE)[1:]:
        users = re.findall(r"^USER (\S+)", stage, re.MULTILINE)
        assert not users or users[-1] == "dataflyt"
    assert "USER dataflyt" in DOCKERFILE


def test_nothing_can_be_written_in_our_containers_but_what_they_must_write() -> None:
    for name, service in OURS.items():
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert "user" not in service, "the image's own user is not root"
        assert "privileged" not in service, name
        in_memory = {one.split(":")[0]: one for one in service["tmpfs"]}
        assert all("uid=50000" in one and "size=" in one for one in in_memory.values()), name
        assert not in_memory.keys() & mounted(name).keys(), f"{name}: a volume and a folder in memory at one place"
        kept = {target for target, volume in mounted(name).items() if not volume.get("read_only")}
        if name == "feide":
            assert {"/tmp"} == in_memory.keys()
            assert {"/var/lib/feide"} == kept
            continue
        # Where Airflow and Python write: Airflow's home, its logs, and temporary files.
        assert {"/tmp", "/opt/dataflyt/airflow", "/opt/dataflyt/logs"} <= in_memory.keys() | kept, name
        assert kept <= {"/opt/dataflyt/logs", "/opt/dataflyt/demo", "/opt/dataflyt/kommuner"}, name
    assert "AIRFLOW_HOME=/opt/dataflyt/airflow" in DOCKERFILE
    assert "AIRFLOW__LOGGING__BASE_LOG_FOLDER=/opt/dataflyt/logs" in DOCKERFILE
    assert "XDG_CACHE_HOME=/tmp" in DOCKERFILE
    for name in ("statsd", "prometheus", "grafana"):
        assert SERVICES[name]["read_only"] is True


@pytest.fixture(scope="module")
def airflow_options() -> set[tuple[str, str]]:
    from airflow.configuration import retrieve_configuration_description
    from airflow.providers.celery.get_provider_info import get_provider_info as celery
    from airflow.providers.openlineage.get_provider_info import get_provider_info as openlineage

    sections = retrieve_configuration_description(include_providers=False)
    sections |= celery()["config"] | openlineage()["config"]
    return {(section, option) for section, described in sections.items() for option in described["options"]}


def test_airflow_knows_every_option_that_is_set(airflow_options: set[tuple[str, str]]) -> None:
    names = {name for environment in environments().values() for name in environment}
    names |= set(re.findall(r"\b(AIRFLOW__\w+)=", DOCKERFILE))
    settings = {name for name in names if name.startswith("AIRFLOW__")}
    assert len(settings) > 15
    assert ("celery", "broker_url") in airflow_options
    for name in settings:
        section, option = name.removeprefix("AIRFLOW__").lower().split("__")
        assert (section, option) in airflow_options, f"{name} is no option of this Airflow"


def test_helm_sets_what_compose_sets_and_prepares_airflow_with_the_same_words() -> None:
    helm = yaml.safe_load((ROOT / "deploy" / "helm-values.yaml").read_text(encoding="utf-8"))
    assert helm["migrateDatabaseJob"]["args"][-1] == SERVICES["airflow-init"]["command"][-1]
    assert "dataflyt airflow prepare" in SERVICES["airflow-init"]["command"][-1]
    shared = environments()["worker-1"] | environments()["airflow-scheduler"]
    for one in helm["env"]:
        name = one["name"]
        assert name in shared or f"{name}=" in DOCKERFILE
        if "$" not in shared.get(name, "$"):
            assert one["value"] == shared[name], name
    assert helm["images"]["airflow"]["tag"] == OURS["airflow-scheduler"]["image"].split(":")[1]
    (mount,) = helm["volumeMounts"]
    assert f"DATAFLYT_KOMMUNER={mount['mountPath']}" in DOCKERFILE


def test_a_pod_of_a_task_is_as_closed_as_a_worker_and_mounts_what_helm_mounts() -> None:
    template = (ROOT / "deploy" / "kubernetes-pod.yaml").read_text(encoding="utf-8")
    helm = yaml.safe_load((ROOT / "deploy" / "helm-values.yaml").read_text(encoding="utf-8"))
    filled = re.sub(r"^ *\{\{-.*\}\}\n", "", template, flags=re.MULTILINE)  # lines that the chart puts in
    filled = re.sub(r"\{\{.*?\}\}", "filled", filled)
    pod = yaml.safe_load(filled)["spec"]
    (container,) = pod["containers"]
    assert container["name"] == "base"  # Airflow gives this container the task
    assert container["securityContext"]["readOnlyRootFilesystem"] is OURS["worker-1"]["read_only"] is True
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert (pod["securityContext"]["runAsUser"], pod["securityContext"]["runAsGroup"]) == (helm["uid"], helm["gid"])
    mounts = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
    assert helm["volumeMounts"][0] in container["volumeMounts"]
    assert helm["volumes"][0] in pod["volumes"]
    assert mounts["airflow-home"] == helm["airflowHome"]
    written = {Path(path.split(":")[0]) for path in OURS["worker-1"]["tmpfs"]}
    assert written <= {Path(path) for path in mounts.values()}
    assert mounts.keys() <= {volume["name"] for volume in pod["volumes"]}


def test_every_command_exists() -> None:
    from airflow.cli.cli_parser import get_parser

    airflow = get_parser()
    seen = set()
    for service, lines in commands().items():
        for command in lines:
            program, *arguments = command
            seen.add(program)
            if program == "airflow":
                arguments = ["hostname" if word.startswith("$") else word for word in arguments]
                assert airflow.parse_args(arguments).func, service
            elif program == "dataflyt":
                from dataflyt.cli.main import app

                assert CliRunner().invoke(app, [*arguments, "--help"]).exit_code == 0, service
            elif program == "python" and arguments[0] == "-m":
                assert find_spec(arguments[1]), service
            elif program == "python":
                compile(arguments[1], service, "exec")
            elif program == "celery":
                module, _, name = arguments[arguments.index("--app") + 1].rpartition(".")
                assert hasattr(import_module(module), name), service
            else:
                # from the extra s3server, the image of the directory, and Debian
                known = ("moto_server", "/opt/feide/start.sh", "ldapsearch", "cp")
                assert program in known, f"{service} runs {program}"
    assert seen == {"airflow", "dataflyt", "python", "celery", *known}


def test_what_the_parts_are_told_of_each_other_are_services() -> None:
    for service, environment in environments().items():
        for value in environment.values():
            for host in re.findall(r"(?:://|@)(?:\$\{\w+:-)?(?:http://)?([a-z][a-z0-9-]+)\}?:\d+", str(value)):
                assert host in SERVICES, f"{service} looks for {host}"
