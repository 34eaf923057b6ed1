"""What can go wrong, as classes of ours.

    DataflytError
      · SourceUnavailable   did not answer, but may later: the only one that is worth a retry
      · SourceRefused       said no; a person must do something
      · ConfigError         a kommune file, connection or environment cannot be used
          · NotDefined      there is no connection of that name (config.connections)
          · NoSuchRun       the kommune has no run of that number (run.open_plan)
      · Unreadable          a file or an answer is not what it claims to be
          · NobodyNamed     no entry of an answer about people names its person
      · CheckFailed         a rule stopped the run before anything was merged
      · DataInDoubt         an extract would take away more than its limit; nothing was taken away
      · NotAllowed          a person may not see, decide or change this, or nobody may
      · NotApproved         a run was to be released without an answer that names its plan
      · WarehouseError      the warehouse refused a statement: a fault of ours

Every error carries one Norwegian sentence that an operator can act on. Facts for the engineer go in keyword arguments
that are safe to log (counts, tables, files, HTTP status, the warehouse's own person id). Neither holds a person's
number, name, address, e-mail or phone.
"""

import errno


class DataflytError(Exception):
    """Base of all expected errors. ``str(error)`` is the sentence for the operator; ``facts`` are safe to log."""

    def __init__(self, sentence: str, **facts: object) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.facts = facts


class ConfigError(DataflytError):
    """A kommune file, a connection or the environment cannot be used as it is. Never worth a retry."""


class NotAllowed(DataflytError):
    """A person has not the right to see or decide this, or a rule of the domain forbids it. Never worth a retry."""


class Unreadable(DataflytError):
    """A file or an answer is broken or hostile, and cannot be read as what it claims to be. Never worth a retry."""

    @property
    def clause(self) -> str:
        """The sentence with a small first letter, so that it can follow a comma or a colon in another sentence."""
        return self.sentence[:1].lower() + self.sentence[1:]


class NobodyNamed(Unreadable):
    """No entry of an answer about people names its person. All the people asked about count as unanswered."""


class SourceUnavailable(DataflytError):
    """A register or file store did not answer as it should, and may do so later. Worth a retry."""


class SourceRefused(DataflytError):
    """A register said no (key, scope, right, bad request). A person must do something; not worth a retry."""


class CheckFailed(DataflytError):
    """A rule is broken, or could not be tried, and stopped the run before anything was merged."""


class DataInDoubt(DataflytError):
    """An extract would take away more than its limit. Nothing was taken away, and a person must look at it."""


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
    """Tell whether an error is worth a retry: a connection was lost or refused, or storage is busy.

    Classes of other libraries are recognised by name, so that none of them is imported for this. Network disks and s3fs
    raise OSError.
    """
    if isinstance(error, DataflytError):
        return isinstance(error, SourceUnavailable)
    if isinstance(error, OSError) and (error.errno in _BUSY or type(error).__name__ == "gaierror"):
        return True
    named = {kind.__name__ for kind in type(error).__mro__}
    return bool(named & _LOST) or isinstance(error, (ConnectionError, TimeoutError))


_REFUSALS = {
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


def known_refusal(error: BaseException) -> str | None:
    """Return the operating system's reason in Norwegian; None for an errno without a text, and for other errors."""
    return _REFUSALS.get(error.errno or 0) if isinstance(error, OSError) else None


def why_refused(error: OSError) -> str:
    """Return the operating system's reason in Norwegian; an errno that has no text is given as it is."""
    return known_refusal(error) or f"feil {error.errno} fra maskinen"
