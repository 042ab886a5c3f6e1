"""Lists of images: paths of either system, headers in any case, delimiters, and what is no list."""

import json

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from support.datasets import lay, png

from se_viz.data.dataset_sources import DatasetRefused, dataset
from se_viz.data.images import ImageRefused


@pytest.fixture
def images(tmp_path):
    return lay(tmp_path, "img/1.png", "img/2.png", "a b.png")


def read(folder, name, content):
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return dataset(path)


def pairs(found):
    return {
        name: found.classes[label] if label >= 0 else None
        for name, label in zip(found.names, found.labels, strict=True)
    }


BOTH = {"img/1.png": "cat", "img/2.png": "dog"}


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("list.csv", "path,label\nimg/1.png,cat\nimg/2.png,dog\n"),
        ("list.csv", "path, label\nimg/1.png, cat\nimg/2.png, dog\n"),
        ("list.csv", 'path, label\nimg/1.png, "cat"\n"img/2.png","dog"\n'),
        ("LIST.CSV", "Path,Label\r\nimg/1.png,cat\r\nimg/2.png,dog\r\n"),
        ("list.csv", "\n\nLABEL, FILE NAME \ncat,img/1.png\ndog,img/2.png\n"),
        ("list.csv", "path;label\nimg/1.png;cat\nimg/2.png;dog\n"),
        ("list.csv", "sep=;\npath;label\nimg/1.png;cat\nimg/2.png;dog\n"),
        ("list.csv", "id,Image-Path,width,Category\n1,img/1.png,3,cat\n2,img/2.png,4,dog\n"),
        ("list.csv", "filename,class\nimg/1.png,cat\n\nimg/2.png,dog\n"),
        ("list.csv", "img/1.png,cat\nimg/2.png,dog\n"),
        ("list.tsv", "path\tlabel\nimg/1.png\tcat\nimg/2.png\tdog\n"),
        ("list.txt", "img/1.png cat\nimg/2.png dog\n"),
        ("list.txt", "path label\nimg/1.png cat\nimg/2.png dog\n"),
        ("list.txt", "cat\timg/1.png\ndog\timg/2.png\n"),
        ("list.csv", "path\tlabel\nimg/1.png\tcat\nimg/2.png\tdog\n".encode("utf-16")),
        ("list.csv", b"\xef\xbb\xbfpath,label\nimg/1.png,cat\nimg/2.png,dog\n"),
    ],
)
def test_a_list_is_read_however_it_is_written(images, name, content):
    found = read(images, name, content)
    assert pairs(found) == BOTH
    assert found.read(0)[0].rgb.size == (12, 10)


def test_paths_with_spaces_in_a_list_by_spaces(images):
    assert pairs(read(images, "list.txt", "a b.png 3\nimg/1.png 4\n")) == {"a b.png": "3", "img/1.png": "4"}


def test_which_columns_were_taken_is_said(images):
    assert read(images, "list.csv", "path,label\nimg/1.png,a\n").notes == ()
    assert read(images, "list.csv", "File,Class\nimg/1.png,a\n").notes == (
        "Of its columns, 'File' is taken as path and 'Class' is taken as label.",
    )
    found = read(images, "list.csv", "path,label\nimg/1.png,a\n,b\n./img//1.png,a\n")
    assert found.notes == (
        "1 line without a path was left out.",
        "1 line names an image that another line names with the same label: each image counts once.",
    )
    assert pairs(found) == {"img/1.png": "a"}


def test_without_a_column_of_labels_the_header_is_named(images):
    found = read(images, "list.csv", "path,species\nimg/1.png,a\n")
    assert found.classes == ()
    assert (
        found.unlabelled
        == "its columns are path, species, none of them called label: rename the column of classes to label"
    )
    with pytest.raises(DatasetRefused, match=r"no column 'path' \(it has species, place\)"):
        read(images, "list.csv", "species,place\na,b\n")
    with pytest.raises(DatasetRefused, match=r"first line is img/1.png,cat,3"):
        read(images, "list.csv", "img/1.png,cat,3\n")
    with pytest.raises(DatasetRefused, match="it has no columns"):
        read(images, "list.csv", "")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("path,label\nimg/1.png,cat, big\n", r"Line 2 of .* has 3 cells, but there are 2 columns \(path, label\)"),
        ("img/1.png,cat\nimg/2.png,dog,3\n", "Line 2 of .* has 3 cells, but there are 2 columns"),
        ("\npath\nimg/1.png,cat\n", r"Line 3 of .* has 2 cells, but there is 1 column \(path\)"),
        (
            "path,label,label\nimg/1.png,cat,cat\nimg/2.png,dog,cow\n",
            r"two columns that could be the label, 'label' and 'label', and they differ \(line 3: dog and cow\)",
        ),
        ("path,Path,label\nimg/1.png,img/2.png,cat\n", "two columns that could be the path.*: remove one of them"),
        (
            "path,category,class\nimg/1.png,pet,cat\nimg/2.png,pet,dog\n",
            r"'class' and 'category', and they differ \(line 2: cat and pet\): rename the one that you mean to label",
        ),
        (
            "path,label\nimg/1.png,cat\nimg/1.png,dog\n",
            r"give several labels to each image \(img/1.png: cat, dog\).*: keep one line for each image",
        ),
    ],
)
def test_a_list_that_can_be_read_in_several_ways_is_refused(images, content, said):
    with pytest.raises(DatasetRefused, match=said):
        read(images, "list.csv", content)


@pytest.mark.parametrize(
    ("content", "notes"),
    [
        ("path,label,\nimg/1.png,cat,\nimg/2.png,dog,,,\n", ()),
        ("path,label,label,x,x\nimg/1.png,cat,cat,1,2\nimg/2.png,dog,dog,1,2\n", ()),
        (
            "path,label,class\nimg/1.png,cat,pet\nimg/2.png,dog,pet\n",
            (
                "Its columns 'label' and 'class' could both be the label, and they differ (line 2: cat and pet): "
                "'label' was taken. Remove it to take 'class'.",
            ),
        ),
        (
            "path,class_id,class\nimg/1.png,3,cat\nimg/2.png,4,dog\n",
            (
                "Of its columns, 'path' is taken as path and 'class' is taken as label.",
                "Its columns 'class' and 'class_id' could both be the label, and they differ (line 2: cat and 3): "
                "'class' was taken. Remove it to take 'class_id'.",
            ),
        ),
        (
            "path,label\nimg/1.png,cat\nimg/2.png,dog\na b.png,cat\na b.png,dog\na b.png\n",
            (
                "Line 6 has fewer cells than there are columns (path, label): the last ones count as empty.",
                "1 image was left out, because several lines give different labels (a b.png: cat, dog), and an image "
                "counts for one class.",
            ),
        ),
    ],
)
def test_cells_that_are_not_used_are_said(images, content, notes):
    found = read(images, "list.csv", content)
    assert (found.notes, pairs(found)) == (notes, BOTH)


def test_an_image_without_a_label_in_one_line_has_the_label_of_another(images):
    found = read(images, "list.csv", "path,label\nimg/1.png,\nimg/1.png,cat\nimg\\2.png,dog\nimg/2.png,dog\n")
    assert pairs(found) == {"img/1.png": "cat", "img\\2.png": "dog"}


def test_separators_of_windows(images):
    found = read(images, "list.csv", "path,label\nimg\\1.png,a\nimg\\2.png,b\n")
    assert [found.read(index)[0].rgb.getpixel((0, 0))[0] for index in range(2)] == [0, 1]
    (images / "img\\1.png").write_bytes(png(77))  # a name that is allowed here
    assert read(images, "list.csv", "path,label\nimg\\1.png,a\n").read(0)[0].rgb.getpixel((0, 0))[0] == 77


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("img/\0.png", "a character that is not allowed in paths"),
        ("img\\\0.png", "a character that is not allowed in paths"),
        ("img", "it is a folder"),
        ("img/none.png", "No such file"),
        ("x" * 300, "too long"),
    ],
)
def test_a_path_that_cannot_be_read_costs_one_image(images, path, said):
    found = read(images, "list.csv", f"path,label\n{path},a\nimg/1.png,b\n")
    with pytest.raises(ImageRefused, match=said):
        found.read(0)
    assert found.read(1)[1] == 1


LONG = "x" * 200_000


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (f"path,label\nimg/1.png,cat\nimg/2.png,{LONG}\n", r"row that begins on line 3 of .*field larger than"),
        (f"path,label,about\nimg/1.png,cat,{LONG}\n", r"row that begins on line 2 of .*field larger than"),
        (f"img/1.png,cat\nimg/2.png,{LONG}\n", r"row that begins on line 2 of .*field larger than"),
        (f"path,label,{LONG}\nimg/1.png,cat,1\n", r"cannot be read as CSV in UTF-8: field larger than"),
        ('path,label\nimg/1.png,"cat\nimg/2.png,dog\n', r'mark \("\) on line 2 of .* 2 lines are read as one row'),
        ('\npath,label\nimg/1.png,cat\n"img/2.png,dog\na b.png,cow\n', r"on line 4 of .* 2 lines"),
        ('img/1.png,"cat\nimg/2.png,dog\na b.png,"cow"\n', r"on line 1 of .* lines are read as one row"),
        ('path,about,label\nimg/1.png,"so,cat\nimg/2.png,"so",dog\n', r"on line 2 of .* lines are read as one row"),
    ],
)
def test_rows_that_cannot_be_cut_are_named_by_their_line(images, content, said):
    with pytest.raises(DatasetRefused, match=said):
        read(images, "list.csv", content)


def test_a_cell_of_several_lines_that_is_neither_path_nor_label_is_read(images):
    content = 'path,about,label\nimg/1.png,"one\ntwo",cat\nimg/2.png,"three\n",dog\n'
    assert pairs(read(images, "list.csv", content)) == BOTH
    assert pairs(read(images, "list.csv", 'about,path,label\n"a\nb",img/1.png,cat\n,img/2.png,dog\n')) == BOTH


def test_parquet(images):
    path = images / "list.parquet"
    pd.DataFrame({"Image Path": ["img/1.png", "img/2.png"], "size": [1, 2], "label": [3, 10]}).to_parquet(path)
    found = dataset(path)
    assert (pairs(found), found.kind) == ({"img/1.png": "3", "img/2.png": "10"}, "parquet")
    twice = pa.Table.from_arrays([pa.array(one) for one in (["img/1.png"], ["a"], ["b"])], ["path", "label", "label"])
    pq.write_table(twice, path)
    with pytest.raises(DatasetRefused, match=r"two columns that could be the label.* \(row 1: a and b\)"):
        dataset(path)
    pd.DataFrame({"x": [1]}).to_parquet(path)
    with pytest.raises(DatasetRefused, match=r"no column 'path' \(it has x\)"):
        dataset(path)
    pq.write_table(pa.table({"image": [{"bytes": b"x", "path": "1"}], "label": [0]}), path)
    with pytest.raises(DatasetRefused, match="load_dataset"):
        dataset(path)
    pq.write_table(pa.table({"path": ["img/1.png", "img/2.png"], "label": [[0], [0, 1]]}), path)
    with pytest.raises(DatasetRefused, match=r"The column label of .* holds several values in each row"):
        dataset(path)
    path.write_bytes(b"PAR1 broken")
    with pytest.raises(DatasetRefused, match="cannot be read as Parquet"):
        dataset(path)


def test_labels_that_are_numbers_with_fractions_are_said(images):
    (images / "list.csv").write_text("path,label\nimg/1.png,0.13\nimg/2.png,7\n")
    assert "The labels are numbers, some of them with fractions (0.13, 7)." in dataset(images / "list.csv").notes[-1]
    (images / "list.csv").write_text("path,label\nimg/1.png,1\nimg/2.png,1.0\n")
    (note,) = dataset(images / "list.csv").notes
    assert note.startswith("1 and 1.0 are counted as different classes")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("list.json", "a JSON file: write the list as CSV"),
        ("list.xlsx", "a spreadsheet: write the list as CSV"),
        ("photos.zip", "it is damaged or not a ZIP archive"),
        ("photos.tar.gz", "an archive file: unpack it"),
        ("1.png", "an image file: name the folder"),
        ("1.heic", "a HEIC file: name the folder"),
        ("list.unknown", "lists in CSV, TSV, TXT or Parquet"),
    ],
)
def test_what_is_no_list_is_called_what_it_is(tmp_path, name, said):
    (tmp_path / name).write_bytes(json.dumps({}).encode())
    with pytest.raises(DatasetRefused, match=said):
        dataset(tmp_path / name)
