"""``python -m simulator``: serve | files | people | units."""

import argparse
import logging
import os
import socket
import sys
from datetime import date
from pathlib import Path

import orjson

from simulator.files import units, write_files
from simulator.kommuner import KOMMUNER
from simulator.manifest import people
from simulator.world import build


def main(arguments: list[str] | None = None) -> int:
    """Run the command; the exit code."""
    parser = argparse.ArgumentParser(prog="simulator", description=__import__("simulator").__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument(
        "--kommune", default="1106", choices=sorted(KOMMUNER), help="kommunenummer (default %(default)s)"
    )
    common.add_argument("--seed", type=int, default=1, help="other seed, other people (default %(default)s)")
    common.add_argument("--date", type=date.fromisoformat, default=date.today(), help="YYYY-MM-DD (default today)")
    serve = commands.add_parser("serve", parents=[common], help="write the files, then answer over HTTP until stopped")
    serve.add_argument("--drop", type=Path, help="folder to write hr/ and sas/ into (default: write no files)")
    serve.add_argument("--key", type=Path, required=True, help="the client's public RSA key: JWK, JWK set or PEM")
    serve.add_argument(
        "--client-id", default="dataflyt-demo", help="the client's id, iss of its grants (default %(default)s)"
    )
    serve.add_argument("--port", type=int, default=0, help="0 takes a free one (default)")
    serve.add_argument("--ready", type=Path, help='file that gets {"port": …, "url": …} once the server answers')
    files = commands.add_parser("files", parents=[common], help="write the HR and SAS files")
    files.add_argument("--drop", type=Path, required=True, help="folder to write hr/ and sas/ into")
    commands.add_parser("people", parents=[common], help="who everybody is and what must come of them: JSON lines")
    commands.add_parser("units", parents=[common], help="HR units to schools, as YAML for a kommune file")
    options = parser.parse_args(arguments)
    return {"serve": _serve, "files": _files, "people": _people, "units": _units}[options.command](options)


def _files(options: argparse.Namespace) -> int:
    for path in write_files(build(options.kommune, options.seed, options.date), options.date, options.drop):
        sys.stdout.write(f"{path}\n")
    return 0


def _people(options: argparse.Namespace) -> int:
    for person in people(build(options.kommune, options.seed, options.date)):
        sys.stdout.buffer.write(orjson.dumps(person) + b"\n")
    return 0


def _units(options: argparse.Namespace) -> int:
    kommune = KOMMUNER[options.kommune]
    schools = {school.unit: school for school in kommune.schools}
    lines = [f'"{unit}": "{schools[unit].orgnr}"  # {name}' for unit, _, name in units(kommune) if unit in schools]
    sys.stdout.write("units:\n" + "".join(f"  {line}\n" for line in lines))
    return 0


def _serve(options: argparse.Namespace) -> int:
    import uvicorn

    from simulator.maskinporten import load_key
    from simulator.server import create_app

    logging.basicConfig(level=logging.INFO, format="%(asctime)s simulator %(message)s")
    key, kid = load_key(options.key)
    world = build(options.kommune, options.seed, options.date)
    if options.drop:
        write_files(world, options.date, options.drop)
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listening.bind(("127.0.0.1", options.port))
    port = listening.getsockname()[1]
    url = f"http://127.0.0.1:{port}"

    class Server(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            if self.started and options.ready:
                _write_atomically(options.ready, orjson.dumps({"port": port, "url": url}))

    app = create_app(world, url, key, kid, options.client_id)
    # Paths hold identity numbers: no access log.
    server = Server(uvicorn.Config(app, log_level="warning", access_log=False, timeout_graceful_shutdown=3))
    server.run([listening])
    return 0


def _write_atomically(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    unfinished.write_bytes(content)
    unfinished.replace(path)


if __name__ == "__main__":
    sys.exit(main())
