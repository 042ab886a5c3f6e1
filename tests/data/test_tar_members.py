"""A tar file holds what unpacking it would leave: links are followed, the last file of a name counts."""

import io
import tarfile
import zipfile
from collections import Counter

import pytest
from support.datasets import png, tar

from se_viz.data.dataset_sources import dataset
from se_viz.data.rejected import DatasetRefused


def counts(found):
    return dict(Counter(found.classes[label] for label in found.labels.tolist()))


def with_links(path, *links):
    """A tar file of cats/1.png and of links: (name, type, target)."""
    with tarfile.open(path, "w") as archive:
        for name, kind, target in (("cats/1.png", tarfile.REGTYPE, ""), *links):
            info = tarfile.TarInfo(name)
            info.type, info.linkname, info.size = kind, target, 0 if target else len(png())
            archive.addfile(info, None if target else io.BytesIO(png()))
    return path


def test_links_to_files_are_these_files(tmp_path):
    path = with_links(
        tmp_path / "x.tar",
        ("dogs/1.png", tarfile.SYMTYPE, "../cats/1.png"),
        ("newts/1.png", tarfile.LNKTYPE, "cats/1.png"),
        ("newts/2.png", tarfile.SYMTYPE, "../dogs/1.png"),
    )
    found = dataset(path)
    assert counts(found) == {"cats": 1, "dogs": 1, "newts": 2}
    assert not found.notes
    assert len({found.read(index)[0].sha256 for index in range(4)}) == 1


def test_links_that_lead_nowhere_are_said(tmp_path):
    links = [("dogs/1.png", tarfile.SYMTYPE, "../no/1.png"), ("a.png", tarfile.SYMTYPE, "b.png")]
    found = dataset(with_links(tmp_path / "x.tar", *links, ("b.png", tarfile.SYMTYPE, "a.png")))
    assert counts(found) == {"cats": 1}
    assert found.notes == ("3 links were left out, to folders or to what is not in x.tar (1.png, a.png, b.png).",)


def test_of_files_of_one_name_the_last_counts(tmp_path):
    path = tar(tmp_path / "x.tar", ("cats/1.png", png(1)), ("dogs/1.png", png(2)), ("./cats/1.png", png(3)))
    found = dataset(path)
    assert counts(found) == {"cats": 1, "dogs": 1}
    assert found.read(0)[0].rgb.getpixel((0, 0)) == (3, 3, 3)
    assert found.notes == ("1 name occurs again in x.tar: the last file of a name counts.",)


@pytest.mark.parametrize("harm", ["cut", "changed"])
def test_an_archive_that_ends_in_a_broken_header_is_refused(harm, tmp_path):
    path = tar(tmp_path / "x.tar", ("cats/1.png", png(1)), ("dogs/1.png", png(2)))
    content = bytearray(path.read_bytes())
    second = content.index(b"dogs/1.png")
    content = content[: second + 300] if harm == "cut" else content
    content[second + 150 : second + 156] = b"\x80" * 6  # the checksum
    path.write_bytes(content)
    with pytest.raises(DatasetRefused, match="cut short or damaged: 1 file can be read"):
        dataset(path)


def test_an_archive_after_the_end_of_another_is_said(tmp_path):
    path = tar(tmp_path / "x.tar", ("cats/1.png", png(1)))
    path.write_bytes(path.read_bytes() * 2)
    assert "x.tar has more data after its end" in dataset(path).notes[0]


def test_labels_in_files_of_any_case_and_type(tmp_path):
    members = [("1.png", png(1)), ("1.CLS", b"7"), ("2.png", png(2)), ("2.json", b'{"label": 7.0}')]
    found = dataset(tar(tmp_path / "x.tar", *members, ("3.png", png(3)), ("3.json", b'{"label": [1, 2]}')))
    assert found.classes == ("7",)
    assert found.labels.tolist() == [-1, 0, 0]
    assert found.notes == ("In x.tar 1 label is not one class and was left out.",)


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_of_files_of_one_name_in_a_zip_archive_the_last_counts(tmp_path):
    path = tmp_path / "x.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in (("cats/1.png", png(1)), ("dogs/1.png", png(2)), ("./cats/1.png", png(3))):
            archive.writestr(name, content)
    found = dataset(path)
    assert counts(found) == {"cats": 1, "dogs": 1}
    assert found.read(0)[0].rgb.getpixel((0, 0)) == (3, 3, 3)
    assert found.notes == ("1 name occurs again in x.zip: the last file of a name counts.",)
