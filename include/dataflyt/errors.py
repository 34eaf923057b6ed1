"""What can go wrong, as classes of ours.

Every error carries one sentence that an operator can act on, and never a person's number, name, address,
e-mail or phone. Facts for the engineer go in keyword arguments that are safe to log (counts, tables, files,
HTTP status, the warehouse's own person id).
"""

import errno


class DataflytError(Exception):
    """Base of all expected errors. ``str(error)`` is the sentence for a person; ``facts`` are safe to log."""

    def __init__(self, sentence: str, **facts: object) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.facts = facts


class ConfigError(DataflytError):
    """A kommune file, connection or environment says something that cannot be used. Never worth a retry."""


class Unreadable(DataflytError):
    """A file or an answer is broken or hostile and cannot be read as what it claims to be. Never worth a retry."""

    @property
    def clause(self) -> str:
        """The sentence as it goes on after a comma or colon."""
        return self.sentence[:1].lower() + self.sentence[1:]


class NobodyNamed(Unreadable):
    """An answer about people in which no entry says whom it is about: all who were asked about are left out."""


class SourceUnavailable(DataflytError):
    """A register or file store did not answer as it should, and may do so later. Worth a retry."""


class SourceRefused(DataflytError):
    """A register said no (key, scope, right, bad request). A person must do something; not worth a retry."""


class CheckFailed(DataflytError):
    """A check stopped the run before anything was merged."""


class DataInDoubt(DataflytError):
    """An extract would take away more than its limit; nothing was taken and somebody must look."""


class WarehouseError(DataflytError):
    """The warehouse refused a statement that should have worked: a fault of ours. Never quotes a row."""


class NotApproved(DataflytError):
    """A run was to be released without an answer that names its plan."""


_LOST = {
    *("OperationalError", "InterfaceError"),  # psycopg, SQLAlchemy
    *("ConnectionError", "HTTPClientError"),  # botocore: S3
    *("ServiceRequestError", "ServiceResponseError"),  # azure-core
    *("ClientConnectionError", "TransportError", "SSHException"),  # aiohttp, httpx, paramiko
}
_BUSY = {errno.EIO, errno.EBUSY, errno.ESTALE, errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN, errno.EHOSTDOWN}


def may_pass(error: BaseException) -> bool:
    """Tell whether an error is of a connection that was lost or refused, or of storage that is busy: worth a retry.

    Libraries' own classes are told by name, as none of them is imported for this; network disks and s3fs raise OSError.
    """
    if isinstance(error, DataflytError):
        return isinstance(error, SourceUnavailable)
    if isinstance(error, OSError) and (error.errno in _BUSY or type(error).__name__ == "gaierror"):
        return True
    named = {kind.__name__ for kind in type(error).__mro__}
    return bool(named & _LOST) or isinstance(error, (ConnectionError, TimeoutError))


IN_NORWEGIAN = {
    errno.ENOSPC: "det er ikke plass på disken",
    errno.EDQUOT: "det er ikke plass på disken",
    errno.EFBIG: "filen blir større enn maskinen tillater",
    errno.EACCES: "brukeren har ikke lov",
    errno.EPERM: "brukeren har ikke lov",
    errno.EROFS: "den kan bare leses",
    errno.ENOENT: "den finnes ikke",
    errno.ENOTDIR: "en del av stien er ikke en mappe",
    errno.EISDIR: "den er en mappe, ikke en fil",
    errno.EEXIST: "den finnes fra før",
    errno.EIO: "disken svarer ikke som den skal",
    errno.EMFILE: "for mange filer er åpne",
    errno.ENAMETOOLONG: "navnet er for langt",
}


def why(error: OSError) -> str:
    """Say in Norwegian why the machine refused; its number where we have no words for it."""
    return IN_NORWEGIAN.get(error.errno or 0, f"feil {error.errno} fra maskinen")
