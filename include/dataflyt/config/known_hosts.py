"""SFTP servers that are known by their keys, as ``ssh`` knows them: in ``known_hosts`` (OpenSSH, sshd(8)).

fsspec takes any key that a server shows. Somebody on the way could then pretend to be the recipient of everybody's
numbers, and would be told the password.
"""

import os
from importlib import import_module
from pathlib import Path
from typing import Any

from dataflyt.errors import ConfigError

FILE = "DATAFLYT_KNOWN_HOSTS"
"""The environment variable with the file, in place of ``~/.ssh/known_hosts`` and ``/etc/ssh/ssh_known_hosts``."""


def files() -> list[Path]:
    """Return the files with the keys of known servers."""
    named = os.environ.get(FILE, "").strip()
    return [Path(named)] if named else [Path.home() / ".ssh" / "known_hosts", Path("/etc/ssh/ssh_known_hosts")]


def options(scheme: str) -> dict[str, Any]:
    """Return fsspec's options for a scheme: over SFTP, to talk with known servers alone.

    Connecting raises ConfigError for a server that is not known, or shows another key.
    """
    if scheme not in ("sftp", "ssh"):
        return {}
    try:
        return {"host_key_policy": _policy()}
    except ImportError:  # fsspec says so, when it is to connect
        return {}


_made: list[Any] = []


def _policy() -> Any:
    """Return the class that fsspec is to ask; the same each time, since fsspec keeps a connection for each."""
    if not _made:
        paramiko: Any = import_module("paramiko")

        class KnownHosts(paramiko.MissingHostKeyPolicy):  # type: ignore[misc]
            def missing_host_key(self, client: Any, hostname: str, key: Any) -> None:
                known = paramiko.HostKeys()
                for file in files():
                    if file.exists():
                        known.load(str(file))
                if not known.check(hostname, key):
                    raise ConfigError(
                        f"SFTP-tjeneren {hostname} er ikke kjent, eller viser en annen nøkkel enn før: få nøkkelen "
                        f"({key.get_name()}) av den som drifter tjeneren, og legg den i {files()[0]}."
                    )

        _made.append(KnownHosts)
    return _made[0]
