"""The cells of a list's lines → rows: which column is which, and lines that do not fit the first one."""

import posixpath
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from se_viz.data.list_columns import LABEL, PATH, SPLIT, columns, tidied
from se_viz.data.rejected import DatasetRefused, shown

# The number of a line, from 1, and its cells.
Line: TypeAlias = tuple[int, Sequence[object]]
_Cells: TypeAlias = tuple[str, ...]

_ROLES = (("path", PATH), ("label", LABEL), ("split", SPLIT))
_NAMED = 3  # lines or images that a sentence names


@dataclass(frozen=True, slots=True)
class ListRow:
    """One line: an image's path as written, its label (None without one), and its split (empty without one)."""

    path: str
    label: str | None
    split: str


def rows_of(
    path: Path, header: Sequence[str], lines: Iterable[Line], unit: str
) -> tuple[list[ListRow], list[str], str]:
    """Return the rows of a list, and sentences, see ``lists.read``.

    Args:
        path: the list.
        header: the names of its columns.
        lines: its lines.
        unit: what a line is called.

    Raises:
        DatasetRefused: there is no column of paths or no row, a line has more cells than the header, or two columns
            could be the same and differ.
    """
    header = [name.strip() for name in header]
    used = [index for _, names in _ROLES for index in columns(header, names)]
    shown_header = ", ".join(header) or "no columns"
    if not columns(header, PATH):
        raise DatasetRefused(
            f"{path} has no column 'path' (it has {shown_header}): its first line should be path,label."
        )
    cut, notes = _cut(path, header, used, lines, unit)
    header = [header[index] for index in used]
    indices = {role: _chosen(path, header, cut, unit, role, columns(header, names), notes) for role, names in _ROLES}
    rows, empty = [], 0
    for _, cells in cut:
        named, label, split = (cells[i] if i is not None else "" for i in indices.values())
        if named:
            rows.append(ListRow(named, label or None, split))
        else:
            empty += 1
    if not rows:
        raise DatasetRefused(f"{path} lists no images: each line should be a path and a label.")
    if empty:
        notes.append(f"{empty:,} {'line without a path was' if empty == 1 else 'lines without a path were'} left out.")
    taken = [(role, header[i]) for role, i in indices.items() if i is not None and role != "split"]
    if any(role != name for role, name in taken):
        notes.insert(0, f"Of its columns, {' and '.join(f'{name!r} is taken as {role}' for role, name in taken)}.")
    unlabelled = f"its columns are {shown_header}, none of them called label: rename the column of classes to label"
    return rows, notes, unlabelled


def once(path: Path, rows: Sequence[ListRow]) -> tuple[list[ListRow], list[str]]:
    """Return each image once, without images whose lines give several labels; and sentences on the lines left out.

    Raises:
        DatasetRefused: the lines of every image give several labels.
    """
    kept: dict[str, ListRow] = {}
    labels: dict[str, dict[str, None]] = {}
    for row in rows:
        key = _key(row)
        labels.setdefault(key, {}).update({} if row.label is None else {row.label: None})
        if key not in kept or kept[key].label is None:
            kept[key] = row
    several = [key for key, given in labels.items() if len(given) > 1]
    examples = "; ".join(f"{_legible(key)}: {', '.join(map(_legible, labels[key]))}" for key in several[:_NAMED])
    examples += "; …" if len(several) > _NAMED else ""
    if len(several) == len(kept):
        raise DatasetRefused(
            f"The lines of {path} give several labels to each image ({examples}), and an image counts for one class: "
            "keep one line for each image."
        )
    notes = []
    if several:
        images = "1 image was" if len(several) == 1 else f"{len(several):,} images were"
        notes.append(
            f"{images} left out, because several lines give different labels ({examples}), and an image counts for one "
            "class."
        )
    gone = set(several)
    repeated = len(rows) - len(kept) - sum(_key(row) in gone for row in rows) + len(several)
    if repeated:
        lines = "1 line names" if repeated == 1 else f"{repeated:,} lines name"
        notes.append(f"{lines} an image that another line names with the same label: each image counts once.")
    return [row for key, row in kept.items() if key not in gone], notes


def _cut(
    path: Path, header: Sequence[str], used: Sequence[int], lines: Iterable[Line], unit: str
) -> tuple[list[tuple[int, _Cells]], list[str]]:
    """Return the lines that are not empty, with a cell for each used column, and a sentence on lines with fewer."""
    cut: list[tuple[int, _Cells]] = []
    short: list[int] = []
    for number, written in lines:
        cells = tuple(map(_said, written))
        if not any(cells):
            continue
        if any(cells[len(header) :]):
            raise DatasetRefused(
                f"{unit.capitalize()} {number:,} of {path} has {len(cells)} cells, but there "
                f"{'is 1 column' if len(header) == 1 else f'are {len(header)} columns'} ({', '.join(header)}): put "
                'quotation marks (") around a cell that contains the character between cells, or name every column in '
                "the first line."
            )
        if len(cells) < len(header):
            short.append(number)
        cut.append((number, tuple(cells[index] if index < len(cells) else "" for index in used)))
    if not short:
        return cut, []
    which = ", ".join(f"{number:,}" for number in short[:_NAMED]) + (", …" if len(short) > _NAMED else "")
    some = f"{unit.capitalize()} {which} has" if len(short) == 1 else f"{len(short):,} {unit}s ({which}) have"
    return cut, [f"{some} fewer cells than there are columns ({', '.join(header)}): the last ones count as empty."]


def _chosen(
    path: Path,
    header: Sequence[str],
    cut: Sequence[tuple[int, _Cells]],
    unit: str,
    role: str,
    found: Sequence[int],
    notes: list[str],
) -> int | None:
    """Return the column of a role: "path", "label" or "split"; add a sentence on others that could be it and differ.

    A column that has the name of the role is taken. Without one, several columns of labels must sort the images into
    the same classes, such as ``class`` and ``class_id``.

    Raises:
        DatasetRefused: columns differ, and nothing says which one is meant.
    """
    if not found:
        return None
    named = [index for index in found if tidied(header[index]) == role]
    chosen = (named or list(found))[0]
    others = [(index, at) for index in found if index != chosen and (at := _difference(cut, chosen, index)) is not None]
    for index, (number, cells) in others:
        alike = tidied(header[index]) == tidied(header[chosen])
        both = f"{header[chosen]!r} and {header[index]!r}"
        differ = f"{unit} {number:,}: {_legible(cells[chosen])} and {_legible(cells[index])}"
        unclear = role == "label" and not named and not _same_classes(cut, chosen, index)
        if alike or unclear:
            what_to_do = "remove one of them" if alike else f"rename the one that you mean to {role}"
            raise DatasetRefused(
                f"{path} has two columns that could be the {role}, {both}, and they differ ({differ}): {what_to_do}."
            )
        notes.append(
            f"Its columns {both} could both be the {role}, and they differ ({differ}): {header[chosen]!r} was taken. "
            f"Remove it to take {header[index]!r}."
        )
    return chosen


def _difference(cut: Sequence[tuple[int, _Cells]], one: int, other: int) -> tuple[int, _Cells] | None:
    """Return the first line in which two columns differ, with its number."""
    return next((line for line in cut if line[1][one] != line[1][other]), None)


def _same_classes(cut: Sequence[tuple[int, _Cells]], one: int, other: int) -> bool:
    """Return whether two columns sort the lines into the same classes, whatever these are called."""
    pairs = {(cells[one], cells[other]) for _, cells in cut}
    return len({first for first, _ in pairs}) == len({second for _, second in pairs}) == len(pairs)


def _legible(cell: str) -> str:
    """Return a cell as it is shown, with the folders of a path."""
    return "/".join(map(shown, cell.split("/"))) if cell else "empty"


def _key(row: ListRow) -> str:
    """Return a row's path in the form that all spellings of it share."""
    return posixpath.normpath(row.path.replace("\\", "/"))


def _said(cell: object) -> str:
    """Return a cell as text; empty for a missing cell."""
    if cell is None or cell != cell:  # noqa: PLR0124 - NaN
        return ""
    if isinstance(cell, float) and cell.is_integer():
        cell = int(cell)
    return str(cell).strip()
