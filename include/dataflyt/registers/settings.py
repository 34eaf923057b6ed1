"""Limits on the wait for a register, the size of its answers, and the rate of the questions."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Settings:
    """Time limits in seconds, and limits on size and frequency.

    ``read_timeout`` is the longest silence, ``answer_timeout`` the longest a whole exchange may take. The wait before
    try n is ``first_wait`` * 2**(n-2) plus a random part. It is the wait that the register asked for if that is longer,
    and at most ``longest_wait``. ``longest_answer`` is in bytes, after decompression. ``max_concurrent`` and
    ``max_per_second`` are for one process and register: FREG accepts 20 a second from an address in its test
    environment, 1000 in production.
    """

    connect_timeout: float = 10.0
    read_timeout: float = 60.0
    answer_timeout: float = 300.0
    attempts: int = 6
    first_wait: float = 1.0
    longest_wait: float = 60.0
    longest_answer: int = 64 * 1024 * 1024
    max_concurrent: int = 4
    max_per_second: float = 15.0
