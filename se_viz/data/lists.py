"""A file that lists images and labels: CSV, TSV, TXT or Parquet, with a header in any case, or without one."""

import csv
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from se_viz.data.file_kinds import is_image
from se_viz.data.list_columns import LABEL, PATH, SPLIT, column, columns
from se_viz.data.list_rows import Line, ListRow, rows_of
from se_viz.data.rejected import DatasetRefused

_TEXT = frozenset({".csv", ".tsv", ".txt", ".tab", ".lst"})
_PARQUET = frozenset({".parquet", ".pq"})
_OTHERS = {
    ".json": "a JSON file",
    ".jsonl": "a JSON file",
    ".ndjson": "a JSON file",
    ".yaml": "a YAML file",
    ".yml": "a YAML file",
    ".xml": "an XML file",
    ".xlsx": "a spreadsheet",
    ".xls": "a spreadsheet",
    ".ods": "a spreadsheet",
    ".arrow": "an Arrow file",
    ".feather": "an Arrow file",
}
_DELIMITERS = (",", "\t", ";", "|")
_PAIR = 2


def is_list(path: Path) -> bool:
    """Return whether a file has the suffix of a list; for some of these, ``read`` says which format to use instead."""
    return path.suffix.lower() in _TEXT | _PARQUET | _OTHERS.keys()


def read(path: Path) -> tuple[list[ListRow], list[str], str]:
    """Read a list.

    Returns:
        The rows in their order; sentences on how its columns were read and what was left out; and, if there are no
        labels, what to do about it.

    Raises:
        DatasetRefused: the file is not a list, has no column of paths or no rows, or can be read in several ways.
    """
    suffix = path.suffix.lower()
    if suffix in _OTHERS:
        raise DatasetRefused(f"{path} is {_OTHERS[suffix]}: write the list as CSV, with the first line path,label.")
    if suffix in _PARQUET:
        header, lines = _parquet(path)
    else:
        try:
            header, lines = _text(path)
        except (UnicodeError, csv.Error) as error:
            raise DatasetRefused(f"{path} cannot be read as CSV in UTF-8: {error}.") from error
    return rows_of(path, header, lines, "row" if suffix in _PARQUET else "line")


def path_within(folder: Path, name: str) -> Path:
    r"""Return the path of a row's image below the folder of the list; ``\\`` may separate its parts."""
    plain = folder / name
    if "\\" not in name:
        return plain
    try:
        return plain if plain.exists() else folder / name.replace("\\", "/")
    except ValueError:
        return plain  # reading it will report the error


def _text(path: Path) -> tuple[Sequence[str], Iterator[Line]]:
    """Return the header and the rows of a text file; a header is made for a file that begins with an image."""
    with path.open("rb") as file:
        encoding = "utf-16" if file.read(2) in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    with path.open(newline="", encoding=encoding) as file:
        lines = file.readlines()
    length = len(lines)
    while lines and not lines[0].strip():
        del lines[0]
    if not lines:
        return [], iter(())
    if re.fullmatch(r"(?i)sep=.\s*", lines[0]) and len(lines) > 1:  # as Excel declares the delimiter
        delimiter = lines.pop(0)[len("sep=")]
    else:
        delimiter = max(_DELIMITERS, key=lambda one: _fitness(_cells(lines[0], one)))
    header = _cells(lines[0], delimiter)
    if column(header, PATH) is not None:
        return header, _cut(path, header, lines[1:], delimiter, length - len(lines) + 1)
    if any(map(_is_image, header)):
        made = _without_header(path, header, delimiter)
        return made, _cut(path, made, lines, delimiter, length - len(lines))
    words, numbered = lines[0].split(), enumerate(lines, length - len(lines) + 1)
    if column(words, PATH) is not None:
        next(numbered)
        return words, ((number, line.rsplit(maxsplit=len(words) - 1)) for number, line in numbered)
    if _by_spaces(lines[0]):
        return ["path", "label"], ((number, _by_spaces(line) or [line]) for number, line in numbered)
    return header, iter(())


def _cut(path: Path, header: Sequence[str], lines: Sequence[str], delimiter: str, above: int) -> Iterator[Line]:
    """Yield the rows of a file's lines; ``above`` is the number of lines before these in the file.

    Raises:
        DatasetRefused: a row cannot be read, or an unclosed quotation mark joins several lines into one row.
    """
    reader = csv.reader(lines, delimiter=delimiter, skipinitialspace=True)
    used = [index for names in (PATH, LABEL, SPLIT) for index in columns(header, names)]
    while True:
        begin = reader.line_num
        at = f"line {above + begin + 1:,} of {path}"
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise DatasetRefused(
                f'The row that begins on {at} cannot be read as CSV ({error}): look for an unclosed quotation mark (") '
                "there, or shorten the cell."
            ) from error
        within = lines[begin : reader.line_num]
        if len(within) > 1 and (
            any(len(cells[i].strip().splitlines()) > 1 for i in used if i < len(cells))
            or sum(any(map(_is_image, line.split(delimiter))) for line in within) > 1
        ):
            raise DatasetRefused(
                f'A quotation mark (") on {at} is not closed on that line, so {len(within):,} lines are read as one '
                "row: close it, or remove it."
            )
        yield above + begin + 1, cells


def _cells(line: str, delimiter: str) -> list[str]:
    return next(csv.reader([line], delimiter=delimiter, skipinitialspace=True), [])


def _is_image(cell: str) -> bool:
    return is_image(cell.strip())


def _fitness(cells: Sequence[str]) -> tuple[bool, int]:
    """Return how well a line is split: best with a path column or an image among its cells, then with more cells."""
    return column(cells, PATH) is not None or any(map(_is_image, cells)), len(cells)


def _without_header(path: Path, first: Sequence[str], delimiter: str) -> list[str]:
    """Return a header for a list that has none."""
    images = list(map(_is_image, first))
    if sum(images) != 1 or len(first) > _PAIR:
        raise DatasetRefused(
            f"{path} has no column 'path' (its first line is {delimiter.join(first)}): "
            "its first line should be path,label."
        )
    return ["path" if image else "label" for image in images]


def _by_spaces(line: str) -> list[str] | None:
    """Return the path and label of a line that separates them by spaces, as in Caffe's lists; None for other lines."""
    parts = line.rsplit(maxsplit=1)
    return parts if len(parts) == _PAIR and is_image(parts[0]) and not is_image(parts[1]) else None


def _parquet(path: Path) -> tuple[Sequence[str], Iterator[Line]]:
    try:
        with pq.ParquetFile(path) as file:
            header: list[str] = file.schema_arrow.names
            wanted = [index for names in (PATH, LABEL, SPLIT) for index in columns(header, names)]
            kinds = [file.schema_arrow.types[index] for index in wanted]
            if any(pa.types.is_struct(kind) or pa.types.is_binary(kind) for kind in kinds):
                raise DatasetRefused(
                    f"{path} contains the images themselves: open it with datasets.load_dataset and give that to "
                    "profile."
                )
            lists = [index for index, kind in zip(wanted, kinds, strict=True) if pa.types.is_nested(kind)]
            if lists:
                raise DatasetRefused(
                    f"The column {header[lists[0]]} of {path} holds several values in each row, and an image counts "
                    "for one class: write one value in each row."
                )
            table = file.read(list(dict.fromkeys(header[index] for index in wanted)))
            positions = [header[:index].count(header[index]) for index in wanted]
            held = [
                table.column(table.schema.get_all_field_indices(header[index])[position]).to_pylist()
                for index, position in zip(wanted, positions, strict=True)
            ]
    except (pa.ArrowException, OSError) as error:
        raise DatasetRefused(f"{path} cannot be read as Parquet: {error}.") from error
    rows = enumerate(zip(*held, strict=True), 1)
    return header, (
        (number, [dict(zip(wanted, cells, strict=True)).get(i) for i in range(len(header))]) for number, cells in rows
    )
