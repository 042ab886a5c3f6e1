"""Limits of one server, from environment variables; the defaults are for a machine with 8 GB of memory."""

import os
import re
from dataclasses import dataclass
from functools import cache

from se_viz import former_names

# An origin of a page that may frame this one, in the form of Content-Security-Policy: one origin without a path.
_ORIGIN = re.compile(r"https?://(\*\.)?[A-Za-z0-9.-]+(:\d{1,5})?|https?://\[[0-9A-Fa-f:]+\](:\d{1,5})?")


class BadSetting(ValueError):
    """Error for an environment variable with an invalid value; the message names the variable."""


@dataclass(frozen=True)
class Limits:
    """Limits of the server's process, in bytes unless stated otherwise.

    Attributes:
        sessions: number of visitors who see the page at once.
        reconnect: seconds in which a browser that lost its connection can return to its session.
        uploads: uploaded files of all sessions.
        session_uploads: uploaded files of one session.
        images: decoded images of all sessions; sessions with the same file share one image.
        session_images: decoded images of one session.
        profiles: class profiles of all sessions, made of their uploads.
        session_profiles: class profiles of one session.
        models: weights of the models that sessions share.
        captures: captures and maps that sessions share.
        metrics: whether ``/_stcore/metrics`` answers.
        embedding: origins of pages that may show this one in a frame.
    """

    sessions: int
    reconnect: int
    uploads: int
    session_uploads: int
    images: int
    session_images: int
    profiles: int
    session_profiles: int
    models: int
    captures: int
    metrics: bool
    embedding: tuple[str, ...]


@cache
def limits() -> Limits:
    """Return the limits, read from the environment once.

    Raises:
        BadSetting: a variable has an invalid value.
    """
    return Limits(
        sessions=_number("SE_VIZ_MAX_SESSIONS", 64, "a number of visitors, as in 64"),
        reconnect=_number("SE_VIZ_RECONNECT_SECONDS", 15, "a number of seconds, as in 15"),
        uploads=_bytes("SE_VIZ_UPLOADS_LIMIT", 1e9),
        session_uploads=_bytes("SE_VIZ_SESSION_UPLOADS_LIMIT", 400e6),
        images=_bytes("SE_VIZ_IMAGES_LIMIT", 1.5e9),
        session_images=_bytes("SE_VIZ_SESSION_IMAGES_LIMIT", 400e6),
        profiles=_bytes("SE_VIZ_PROFILES_LIMIT", 4e9),
        session_profiles=_bytes("SE_VIZ_SESSION_PROFILES_LIMIT", 500e6),
        models=_bytes("SE_VIZ_MODELS_LIMIT", 2e9),
        captures=_bytes("SE_VIZ_CAPTURES_LIMIT", 500e6, former_names.CAPTURES_LIMIT),
        metrics=_switch("SE_VIZ_METRICS"),
        embedding=_origins("SE_VIZ_EMBED_ORIGINS"),
    )


def _bytes(name: str, default: float, former: str = "") -> int:
    read = former if former and not os.environ.get(name) else name
    return _number(read, default, "a number of bytes, as in 1e9")


def _number(name: str, default: float, wanted: str) -> int:
    stated = os.environ.get(name) or str(default)
    try:
        number = int(float(stated))
    except (ValueError, OverflowError):
        number = 0
    if number < 1:
        raise BadSetting(f"{name} is {stated!r}: give {wanted}.")
    return number


def _switch(name: str) -> bool:
    stated = os.environ.get(name, "").lower()
    if stated not in ("", "0", "1", "false", "true"):
        raise BadSetting(f"{name} is {stated!r}: give 1 or 0.")
    return stated in ("1", "true")


def _origins(name: str) -> tuple[str, ...]:
    stated = os.environ.get(name, "").replace(",", " ").split()
    for origin in stated:
        if not _ORIGIN.fullmatch(origin):
            raise BadSetting(
                f"{name} has {origin!r}: give origins separated by spaces, as in https://course.example.org."
            )
    return tuple(stated)
