"""Images in memory as a dataset, and the first images of each folder where not all are read."""

import io
import zipfile

import numpy as np
import pytest
from PIL import Image
from support.images import encoded, noise

from se_viz.data.dataset_sources import DatasetRefused, dataset
from se_viz.data.file_kinds import in_turn
from se_viz.data.image_files import read
from se_viz.data.images import ImageRefused
from se_viz.data.images_in_memory import from_images, in_folders

PNG = encoded(noise(16, 16))


def png(shade):
    return encoded(Image.fromarray(np.full((16, 16, 3), shade, np.uint8)))


def packed(names, **options):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", **options) as archive:
        for number, name in enumerate(names):
            archive.writestr(name, png(number) if name.endswith(".png") else b"words")
    return out.getvalue()


def test_each_image_counts_for_its_folder_and_the_others_are_noted():
    intake = read([("a.zip", packed(["x/dogs/1.png", "x/cats/2.png", "x/cats/1.png", "3.png", "x/dogs/notes.txt"]))])
    found = from_images(intake.images, intake.refusals)
    assert (found.name, found.kind, found.classes) == ("cats and dogs", "images", ("cats", "dogs"))
    assert list(zip(found.names, found.labels.tolist(), strict=True)) == [
        ("cats/1.png", 0),
        ("cats/2.png", 0),
        ("dogs/1.png", 1),
    ]
    assert found.read(2)[0] == in_folders(intake.images)["dogs"][0]
    assert found.read(2)[1] == 1
    assert found.notes == (
        "1 image that is in no folder was left out.",
        "1 file was left out when the images were read (dogs 1).",
    )


@pytest.mark.parametrize(
    ("folders", "name"),
    [
        (["a"], "a"),
        (["a", "b", "c"], "a, b and c"),
        (["a", "b", "c", "d", "e"], "a, b and 3 more folders"),
        (["n01440764", "n03425413"], "tench and gas pump"),  # WordNet ids of Imagenette
    ],
)
def test_it_is_named_after_the_folders(folders, name):
    intake = read([(f"{folder}/1.png", png(place)) for place, folder in enumerate(folders)])
    assert from_images(intake.images).name == name


def test_of_more_files_than_are_read_the_first_of_each_folder_are():
    labels = ["a/1", "a/2", "a/3", "a/4", "b/1", "b/2", "loose"]
    assert in_turn(labels, 10) == list(range(7))
    assert in_turn(labels, 4) == [0, 1, 4, 6, 5, 2, 3]
    names = [*(f"a/{n}.png" for n in range(5)), *(f"b/{n}.png" for n in range(5))]
    for trusted in (True, False):
        intake = read([("a.zip", packed(names))], 4, trusted=trusted)
        assert [image.name for image in intake.images] == ["a/0.png", "a/1.png", "b/0.png", "b/1.png"]
        assert intake.unread == 6


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_zip_file_is_a_dataset_of_its_folders(tmp_path, method):
    names = ["p/dogs/1.png", "p/cats/2.png", "p/cats/1.png", "p/notes.txt", "__MACOSX/p/cats/._1.png", "p/.hidden.png"]
    (tmp_path / "a.zip").write_bytes(packed(names, compression=method))
    found = dataset(tmp_path / "a.zip")
    assert (found.name, found.kind, found.classes) == ("a.zip", "zip", ("cats", "dogs"))
    assert [int(label) for label in found.labels] == [0, 0, 1]
    assert [np.asarray(found.read(index)[0].rgb)[0, 0, 0] for index in range(3)] == [2, 1, 0]
    assert found.notes == ("1 other file was left out, as it is not an image (1 .txt).",)


@pytest.mark.parametrize("name", ["photos", "photos.tar", "photos.pack"])
def test_a_zip_file_is_read_whatever_its_name(tmp_path, name):
    (tmp_path / name).write_bytes(packed(["p/dogs/1.png", "p/cats/2.png"]))
    assert dataset(tmp_path / name).classes == ("cats", "dogs")
    (tmp_path / name).write_bytes(packed(["words.txt"]))
    with pytest.raises(DatasetRefused, match="No images in"):
        dataset(tmp_path / name)


def test_a_split_of_a_zip_file_is_taken(tmp_path):
    names = [f"p/{split}/{name}/{n}.png" for split in ("train", "val") for name in ("a", "b") for n in range(2)]
    (tmp_path / "a.zip").write_bytes(packed(names))
    assert all("/val/" in name for name in dataset(tmp_path / "a.zip").names)
    assert len(dataset(tmp_path / "a.zip", "train")) == 4


@pytest.mark.slow
def test_a_hostile_zip_file_is_refused_or_loses_one_image(tmp_path):
    path = tmp_path / "a.zip"
    content = packed(["a/1.png", "b/1.png"])

    def written(changed):
        path.write_bytes(changed)
        return path

    with pytest.raises(DatasetRefused, match=r"a\.zip cannot be read: it is damaged or not a ZIP archive"):
        dataset(written(b"PK\3\4 nothing"))
    at = content.index(b"PK\1\2")
    locked = content[: at + 8] + b"\1\0" + content[at + 10 :]
    with pytest.raises(DatasetRefused, match="locked with a password"):
        dataset(written(locked))
    twice = (
        content[: content.index(b"PK\1\2", at + 1) + 42]
        + b"\0\0\0\0"
        + content[content.index(b"PK\1\2", at + 1) + 46 :]
    )
    with pytest.raises(DatasetRefused, match="overlap"):
        dataset(written(twice))
    flipped = bytearray(content)
    flipped[content.index(PNG[:8]) + 60] ^= 255
    found = dataset(written(bytes(flipped)))
    with pytest.raises(ImageRefused, match=r"it is damaged in the archive; pack the archive again\.$"):
        found.read(0)
    assert found.read(1)[1] == 1
    # A member that unpacks to more than an image may have is not read to its end.
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a/1.png", PNG + b"\0" * 60_000_000)
        archive.writestr("b/1.png", PNG)
    found = dataset(written(out.getvalue()))
    with pytest.raises(ImageRefused, match="larger than 50 MB"):
        found.read(0)
    assert found.read(1)[1] == 1


@pytest.mark.parametrize(
    ("names", "classes"),
    [
        (["cats/a/1.png", "cats/b/2.png", "dogs/a/1.png"], {"cats": 2, "dogs": 1}),
        (["pets/cats/1.png", "pets/cats/2.png", "pets/dogs/1.png"], {"cats": 2, "dogs": 1}),
        (["../dogs/1.png", "/cats/1.png", r"cats\2.png"], {"cats": 2, "dogs": 1}),
        (["cats/1.png", "cats/2.png"], {"cats": 2}),
        (["pets/1.png", "pets/cats/2.png"], {"cats": 1, None: 1}),
    ],
)
def test_an_image_of_a_zip_file_counts_for_its_outermost_folder(tmp_path, names, classes):
    (tmp_path / "photos.zip").write_bytes(packed(names))
    found = dataset(tmp_path / "photos.zip")
    labels = [None if label < 0 else found.classes[label] for label in found.labels]
    assert {name: labels.count(name) for name in set(labels)} == classes
