"""The cost of FREG's answers from the register's socket to rows in staging, and the least possible cost.

    python benchmarks/extract.py --persons 190000

The simulator's answers, a thousand persons each, are made first. A process on the other core serves them from disk.
Then one process asks, lands and stages them with the product's own functions. For comparison, in the same run:
``orjson.loads`` of the same bytes, and COPY of the same rows into plain tables.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
from measuring import FREG, KOMMUNER, Figure, peak, postgres
from sqlalchemy import text

from dataflyt.sources.freg import rows as freg_rows
from dataflyt.warehouse.tables import source_tables
from warehouse import DAY, PER_PAGE, Guardians, bare_copy, job

HERE = Path(__file__).resolve()
PUPILS_A_THOUSAND = 370  # with their guardians they are a thousand persons


def serve(folder: Path) -> None:
    """Answer every token request with a token, and a request for a page's first person with that landed page."""
    import uvicorn
    from fastapi import FastAPI, Request, Response

    app = FastAPI(openapi_url=None)

    @app.post("/token")
    async def token() -> dict[str, Any]:
        return {"access_token": "benchmark", "token_type": "Bearer", "expires_in": 599}

    @app.post(f"{FREG}/v1/personer/bulkoppslag")
    async def bulk(request: Request) -> Response:
        asked = orjson.loads(await request.body())["foedselsEllerDNummer"]
        return Response((folder / f"{asked[0]}.json").read_bytes(), media_type="application/json")

    import socket

    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        print(f"http://127.0.0.1:{listening.getsockname()[1]}", flush=True)
        uvicorn.Server(uvicorn.Config(app, log_level="warning", access_log=False)).run([listening])


def ask_and_stage(said: dict[str, Any]) -> dict[str, float]:
    """Ask for all persons and stage them, as ``extract_freg`` does; return the time and the peak of memory."""
    from dataflyt.config.connections import Connection
    from dataflyt.config.loading import find
    from dataflyt.run.environment import Environment
    from dataflyt.run.freg_parts import FREG_PARTS
    from dataflyt.run.job import open_job
    from dataflyt.run.landed import stage
    from dataflyt.sources.freg import client

    folder = Path(said["folder"])
    kommune = find(KOMMUNER, "haugesund").model_copy(update={"id": "persons"})
    environment = Environment(lambda name: Connection(name, said["warehouse"]), Path, str(folder / "storage"))
    opened = open_job(kommune, "run-1", datetime(2026, 11, 22, 3, tzinfo=UTC), environment)
    extra = {"token_endpoint": f"{said['url']}/token", "issuer": f"{said['url']}/", "kid": "bench"}
    # The registers' limit is not what is measured.
    extra |= {"scope": "folkeregister:deling/offentligmedhjemmel", "max_per_second": "1000"}
    freg = Connection("freg_persons", said["url"] + FREG, "bench", said["key"], extra)
    questions = sorted((folder / "answers").glob("*.request"))
    numbers = (n for path in questions for n in orjson.loads(path.read_bytes())["foedselsEllerDNummer"])
    landing = opened.landing("freg")
    began = time.perf_counter()
    client.extract(freg, numbers, FREG_PARTS, landing, "1-pupils")
    landed = time.perf_counter()
    counts = stage(opened, "freg", phase="1-pupils")
    return {
        "landed": landed - began,
        "staged": time.perf_counter() - landed,
        "peak": peak(),
        "rows": sum(counts.values()),
    }


def measure(persons: int = 40_000) -> list[Figure]:
    """Make the answers, serve them, and measure."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    from simulator.files import write_pifu

    pem = rsa.generate_private_key(public_exponent=65537, key_size=2048).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    with tempfile.TemporaryDirectory(prefix="dataflyt-bench-") as made, postgres(Path(made), ["persons"]) as urls:
        folder = Path(made)
        people = Guardians(PUPILS_A_THOUSAND * persons // 1000, folder / "made")
        with (folder / "pifu.xml").open("wb") as out:
            write_pifu(people, DAY, out)
        pages = list(_pages_of_a_thousand(folder / "made" / "freg", folder / "answers"))
        loads, copy, size = _baselines(job("persons", urls["kommune_persons"], folder, 1), pages)
        server = subprocess.Popen(
            [sys.executable, str(HERE), "--serve", str(folder / "answers")], stdout=subprocess.PIPE, text=True
        )
        try:
            assert server.stdout
            said = {
                "folder": made,
                "url": server.stdout.readline().strip(),
                "key": pem.decode(),
                "warehouse": urls["kommune_persons"],
            }
            took = json.loads(
                subprocess.run(
                    [sys.executable, str(HERE), "--ask"],
                    input=json.dumps(said),
                    stdout=subprocess.PIPE,
                    text=True,
                    check=True,
                ).stdout
            )
        finally:
            server.terminate()
            server.wait()
    ratio = (took["landed"] + took["staged"]) / (loads + copy)
    a_page = 1000 / len(pages)
    return [
        Figure(
            f"FREG over HTTP into staging: {len(pages)} answers of {PER_PAGE} ({size / len(pages) / 1e6:.1f} MB each)",
            f"{took['landed'] + took['staged']:.1f} s",
        ),
        Figure(
            "  an answer: asked and landed; read and staged",
            f"{took['landed'] * a_page:.0f}, {took['staged'] * a_page:.0f} ms",
        ),
        Figure("  an answer: orjson.loads; COPY of the same rows", f"{loads * a_page:.0f}, {copy * a_page:.0f} ms"),
        Figure("  ratio to both together", f"{ratio:.1f}", "aim: at most 2.5", ratio <= 2.5),
        Figure("  peak memory", f"{took['peak']:.0f} MiB", "aim: at most 300 MiB", took["peak"] <= 300),
    ]


def _pages_of_a_thousand(made: Path, answers: Path) -> Iterator[Path]:
    """Move the answers into files of a thousand persons each, with their questions, and delete the originals."""
    answers.mkdir()
    waiting: list[dict[str, Any]] = []
    for path in sorted(made.glob("*.json")):
        waiting += orjson.loads(path.read_bytes())["oppslag"]
        path.unlink()
        while len(waiting) >= PER_PAGE:
            entries, waiting = waiting[:PER_PAGE], waiting[PER_PAGE:]
            page = answers / f"{entries[0]['foedselsEllerDNummer']}.json"
            page.write_bytes(orjson.dumps({"oppslag": entries}))
            asked = [entry["foedselsEllerDNummer"] for entry in entries]
            page.with_suffix(".request").write_bytes(orjson.dumps({"foedselsEllerDNummer": asked}))
            yield page


def _baselines(opened: Any, pages: list[Path]) -> tuple[float, float, int]:
    """Return the seconds to parse the pages and to COPY their rows into plain tables, and the pages' bytes."""
    tables = {t.table.row: t for t in source_tables().values() if t.source == "freg"}
    loads = copy = 0.0
    size = 0
    for path in pages:
        content = path.read_bytes()
        size += len(content)
        began = time.perf_counter()
        orjson.loads(content)
        loads += time.perf_counter() - began
        rows: dict[str, list[Any]] = {table.name: [] for table in tables.values()}
        with path.open("rb") as stream:
            for row in freg_rows.bulk(stream):
                rows[tables[type(row)].name].append(row)
        copy += bare_copy(opened, {table.name: table.columns for table in tables.values()}, rows)
    with opened.transaction() as connection:
        connection.execute(text("update control.run set state = 'failed' where owner = 'persons'"))
    return loads, copy, size


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--persons", type=int, default=40_000, help="how many persons are asked about")
    parser.add_argument("--serve", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--ask", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        serve(options.serve)
    elif options.ask:
        print(json.dumps(ask_and_stage(json.load(sys.stdin))))
    else:
        print(*measure(options.persons), sep="\n")
