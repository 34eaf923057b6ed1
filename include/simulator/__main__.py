"""``python -m simulator``: serve | files | people | units."""

import argparse
import logging
import os
import socket
import sys
from datetime import date, datetime, time
from pathlib import Path

import orjson

from simulator.faults import FAULTS, PATHS, Switches, UnknownFault
from simulator.files import units, write_files
from simulator.kommuner import KOMMUNER, Kommune
from simulator.large import MOST, Large, kommune_of
from simulator.manifest import people
from simulator.model import Country
from simulator.weeks import advance
from simulator.world import build_country


def main(arguments: list[str] | None = None) -> int:
    """Run the command; the exit code."""
    parser = argparse.ArgumentParser(
        prog="simulator",
        description=__import__("simulator").__doc__,
        epilog=_faults_in_words(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", required=True)
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument(
        "--kommune",
        action="append",
        choices=sorted(KOMMUNER),
        help="kommunenummer, may be given several times (default 1106)",
    )
    common.add_argument("--seed", type=int, default=1, help="other seed, other people (default %(default)s)")
    common.add_argument("--date", type=date.fromisoformat, default=date.today(), help="YYYY-MM-DD (default today)")
    common.add_argument(
        "--start", type=date.fromisoformat, help="the day the world was made: time has passed from then to --date"
    )
    sized = argparse.ArgumentParser(add_help=False)
    sized.add_argument(
        "--pupils",
        type=_pupils,
        help=f"make the kommune with so many pupils, up to {MOST}, without holding it in memory; time changes nothing",
    )
    serve = commands.add_parser(
        "serve", parents=[common, sized], help="write the files, then answer over HTTP until stopped"
    )
    serve.add_argument(
        "--drop", type=Path, help="folder to write <kommunenummer>/hr/ and /sas/ into (default: write no files)"
    )
    serve.add_argument("--key", type=Path, required=True, help="the client's public RSA key: JWK, JWK set or PEM")
    serve.add_argument(
        "--client-id", default="dataflyt-demo", help="the client's id, iss of its grants (default %(default)s)"
    )
    serve.add_argument("--port", type=int, default=0, help="0 takes a free one (default)")
    serve.add_argument("--host", default="127.0.0.1", help="address to listen on (default %(default)s)")
    serve.add_argument("--url", help="where others reach it, when that is not http://127.0.0.1:PORT")
    serve.add_argument(
        "--key-registered",
        type=date.fromisoformat,
        help="YYYY-MM-DD, the day the key was registered: it is good for a year (default: it never grows old)",
    )
    serve.add_argument(
        "--fault",
        action="append",
        default=[],
        metavar="NAME[@PATH][:COUNT]",
        help="a fault from the start, may be given several times; see simulator --help",
    )
    serve.add_argument(
        "--events", type=int, default=0, help="begin FREG's event list with so many about nobody here (default none)"
    )
    serve.add_argument("--ready", type=Path, help='file that gets {"port": …, "url": …} once the server answers')
    files = commands.add_parser("files", parents=[common, sized], help="write the HR and SAS files")
    files.add_argument("--drop", type=Path, required=True, help="folder to write <kommunenummer>/hr/ and /sas/ into")
    commands.add_parser("people", parents=[common], help="who everybody is and what must come of them: JSON lines")
    commands.add_parser("units", parents=[common, sized], help="HR units to schools, as YAML for a kommune file")
    options = parser.parse_args(arguments)
    return {"serve": _serve, "files": _files, "people": _people, "units": _units}[options.command](options)


def _faults_in_words() -> str:
    names = "\n".join(f"  {fault.name:15} {fault.help}" for fault in FAULTS.values())
    return (
        f"faults of serve --fault NAME[@PATH][:COUNT]\n{names}\n\n"
        f"PATH is one of {', '.join(PATHS)}, COUNT the number of requests (0: all; default 1, of a clock all).\n"
        'Running: POST /simulator/faults {"name": "half", "path": "krr", "count": 2}; GET tells what is on and what\n'
        "was asked, DELETE switches all off."
    )


def _pupils(text: str) -> int:
    pupils = int(text)
    if not 1 <= pupils <= MOST:
        raise argparse.ArgumentTypeError(f"1 to {MOST}")
    return pupils


def _country(options: argparse.Namespace) -> Country:
    if pupils := getattr(options, "pupils", None):
        numbers = dict.fromkeys(options.kommune or ["1106"])
        return Country.of(*(Large(number, options.seed, options.date, pupils) for number in numbers))
    country = build_country(options.kommune or ["1106"], options.seed, options.start or options.date)
    advance(country, options.date)
    return country


def _files(options: argparse.Namespace) -> int:
    for world in _country(options).worlds.values():
        for path in write_files(world, options.date, options.drop):
            sys.stdout.write(f"{path}\n")
    return 0


def _people(options: argparse.Namespace) -> int:
    for world in _country(options).worlds.values():
        for person in people(world):
            sys.stdout.buffer.write(orjson.dumps(person) + b"\n")
    return 0


def _units(options: argparse.Namespace) -> int:
    for number in options.kommune or ["1106"]:
        _write_units(kommune_of(number, options.pupils) if options.pupils else KOMMUNER[number])
    return 0


def _write_units(kommune: Kommune) -> None:
    schools = {school.unit: school for school in kommune.schools}
    lines = [f'"{unit}": "{schools[unit].orgnr}"  # {name}' for unit, _, name in units(kommune) if unit in schools]
    sys.stdout.write("units:\n" + "".join(f"  {line}\n" for line in lines))


def _serve(options: argparse.Namespace) -> int:
    import uvicorn

    from simulator.maskinporten import load_key
    from simulator.server import create_app

    logging.basicConfig(level=logging.INFO, format="%(asctime)s simulator %(message)s")
    faults = Switches()
    try:
        for text in options.fault:
            faults.turn_on_text(text)
    except UnknownFault as unknown:
        sys.stderr.write(f"{unknown}\n")
        return 2
    key, kid = load_key(options.key)
    registered = options.key_registered and datetime.combine(options.key_registered, time.min).timestamp()
    country = _country(options)
    for world in country.worlds.values() if options.drop else ():
        write_files(world, options.date, options.drop)
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listening.bind((options.host, options.port))
    port = listening.getsockname()[1]
    url = (options.url or f"http://127.0.0.1:{port}").rstrip("/")

    class Server(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            if self.started and options.ready:
                _write_atomically(options.ready, orjson.dumps({"port": port, "url": url}))

    app = create_app(
        country,
        url,
        key,
        kid,
        options.client_id,
        drop=options.drop,
        key_registered=registered,
        faults=faults,
        events=options.events,
    )
    # Paths hold identity numbers: no access log.
    server = Server(
        uvicorn.Config(app, log_level="warning", access_log=False, date_header=False, timeout_graceful_shutdown=3)
    )
    server.run([listening])
    return 0


def _write_atomically(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    unfinished.write_bytes(content)
    unfinished.replace(path)


if __name__ == "__main__":
    sys.exit(main())
