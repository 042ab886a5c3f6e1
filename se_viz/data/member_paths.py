"""The path of an archive's member as if the archive were unpacked into one folder."""

import posixpath
from pathlib import PurePosixPath


def member_path(name: str) -> PurePosixPath:
    """Return the path of a member of a tar or ZIP archive by its name: relative, without steps out of the folder.

    Archives that were made on Windows may separate folders by backslashes. "/a/./b.jpg", "../a/b.jpg" and
    "c/../a/b.jpg" are all "a/b.jpg".
    """
    return PurePosixPath(posixpath.normpath("/" + name.replace("\\", "/")).lstrip("/"))
