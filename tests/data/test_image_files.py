import io
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from se_viz.data import batches, images
from se_viz.data import image_files as intake
from se_viz.data.image_files import Intake, read, read_paths
from se_viz.data.images import MAX_BYTES, ImageRefused, InputImage
from se_viz.data.untrusted import decode_files
from se_viz.types import ShouldCancel


def image(shade: int, side: int = 8, file_format: str = "PNG") -> bytes:
    file = io.BytesIO()
    Image.new("L", (side, side), shade).save(file, file_format)
    return file.getvalue()


def packed(*files: tuple[str, bytes]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in files:
            archive.writestr(name, content)
    return file.getvalue()


def names(result: Intake) -> list[str]:
    return [image.name for image in result.images]


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """The names of what is decoded, in order, and how many bytes each came with."""
    seen: dict[str, int] = {}

    def counted(files: Sequence[tuple[str, bytes]], cancelled: ShouldCancel) -> list[InputImage | ImageRefused]:
        seen.update((name, len(content)) for name, content in files)
        return decode_files(files, cancelled)

    monkeypatch.setattr(intake, "decode_files", counted)
    return seen


def test_nothing() -> None:
    assert read([]) == Intake((), ())


def test_the_order_is_that_of_the_files_whichever_is_decoded_first() -> None:
    # The first of every pair takes far longer than the second.
    items = [(f"{i}.png", image(i, 8 if i % 2 else 1500)) for i in range(12)]
    result = read(items)
    assert names(result) == [name for name, _ in items]
    assert [np.asarray(entry.rgb)[0, 0, 0] for entry in result.images] == list(range(12))
    assert not result.refusals


def test_one_bad_file_does_not_stop_the_others() -> None:
    good = image(1)
    result = read(
        [
            ("cut.png", good[:40]),
            ("a.png", good),
            ("b.zip", packed(("x/text.txt", b"text"), ("x/in.zip", packed(("y.png", good))), ("x/b.png", image(2)))),
            ("broken.zip", b"PK\3\4"),
            ("c.png", image(3)),
        ]
    )
    assert names(result) == ["a.png", "x/b.png", "c.png"]
    assert [refusal.split(" was left out: ")[0] for refusal in result.refusals] == [
        "cut.png",
        "x/text.txt",
        "x/in.zip",
        "broken.zip",
    ]
    assert "ZIP archive" in result.refusals[2]


def test_a_damaged_member_is_told_after_the_good_ones() -> None:
    archive = packed(("a.png", image(1)), ("bad.txt", b"contents"), ("b.png", image(2)))
    result = read([("photos.zip", archive.replace(b"contents", b"c0ntents"))])
    assert names(result) == ["a.png", "b.png"]
    assert len(result.refusals) == 1
    assert result.refusals[0].startswith("bad.txt in photos.zip was left out")


def test_the_same_file_is_taken_once() -> None:
    result = read([("a.png", image(1)), ("z.zip", packed(("f/b.png", image(1)), ("f/c.png", image(2))))])
    assert names(result) == ["a.png", "f/c.png"]
    assert result.refusals == ("f/b.png was left out: it is the same file as a.png.",)


def test_nothing_is_decoded_beyond_the_limit(decoded: dict[str, int]) -> None:
    items = [(f"{i}.png", image(i)) for i in range(10)]
    result = read(items, limit=3)
    assert names(result) == list(decoded) == ["0.png", "1.png", "2.png"]
    assert result.refusals == ("7 more files were left out: at most 3 images are read.",)


@pytest.mark.slow
def test_few_files_wait_to_be_decoded(decoded: dict[str, int]) -> None:
    contents = [image(shade, 700) for shade in range(6 * batches.WORKERS * batches.MOST_FILES)]
    waiting = []

    def items() -> Iterator[tuple[str, bytes]]:
        for i, content in enumerate(contents):
            waiting.append(i - len(decoded))
            yield str(i), content

    assert len(read(items(), len(contents)).images) == len(contents)
    assert max(waiting) < (2 * batches.WORKERS + 1) * batches.MOST_FILES


@pytest.mark.parametrize("limit", [0, 1, 2, 3, 20])
def test_refusals_and_twins_do_not_use_up_the_limit(limit: int) -> None:
    items = [
        ("bad", b"bad"),
        ("a", image(1)),
        ("twin", image(1)),
        ("bad", b"bad"),
        ("b", image(2)),
        ("c", image(3)),
    ]
    assert names(read(items, limit)) == ["a", "b", "c"][:limit]


def test_the_limit_counts_the_members_of_the_archive_it_falls_in(decoded: dict[str, int]) -> None:
    archive = packed(*((f"{i}.png", image(i)) for i in range(5)))
    result = read([("1.zip", archive), ("2.zip", archive)], limit=4)
    assert names(result) == list(decoded) == ["0.png", "1.png", "2.png", "3.png"]
    assert result.refusals == ("2 more files were left out: at most 4 images are read.",)
    assert "1 more file was left out" in read([("1.zip", archive)], limit=4).refusals[0]


@settings(deadline=None, max_examples=30)
@given(st.lists(st.sampled_from([b"bad", *(image(shade) for shade in range(4))]), max_size=20), st.integers(0, 5))
def test_every_file_is_accounted_for(contents: list[bytes], limit: int) -> None:
    result = read([(f"{i}", content) for i, content in enumerate(contents)], limit)
    left_out = [int(text.split()[0]) for text in result.refusals if "more file" in text]
    assert len(result.images) <= limit
    assert len(set(result.images)) == len(result.images)
    assert len(result.images) + len(result.refusals) - len(left_out) + sum(left_out) == len(contents)


# ---- paths


def test_files_folders_and_archives(tmp_path: Path) -> None:
    for name, shade in [("b/2.PNG", 2), ("b/a/1.png", 1), ("b/3.jpeg", 3), ("b/.hidden/4.png", 4), ("b/.5.png", 5)]:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(image(shade))
    (tmp_path / "b" / "notes.txt").write_text("notes")
    (tmp_path / "one.png").write_bytes(image(6))
    (tmp_path / "z.zip").write_bytes(packed(("f/7.png", image(7))))
    result = read_paths([tmp_path / "z.zip", tmp_path / "b", tmp_path / "one.png"])
    assert names(result) == ["f/7.png", "2.PNG", "3.jpeg", "a/1.png", "one.png"]
    assert not result.refusals


def test_paths_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "a.png").write_bytes(image(1))
    result = read_paths([tmp_path / "missing.png", tmp_path / "empty", tmp_path / "a.png"])
    assert names(result) == ["a.png"]
    assert result.refusals == (
        "missing.png was left out: there is no such file; check the path.",
        "empty was left out: there are no images in that folder; check the path.",
    )


def test_a_huge_file_is_not_read_to_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, decoded: dict[str, int]
) -> None:
    monkeypatch.setattr(images, "MAX_BYTES", 1000)
    monkeypatch.setattr(intake, "MAX_BYTES", 1000)
    with (tmp_path / "huge.png").open("wb") as file:
        file.truncate(MAX_BYTES)
    assert "larger than" in read_paths([tmp_path / "huge.png"]).refusals[0]
    assert decoded == {"huge.png": 1001}


def test_files_beyond_the_limit_are_not_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for shade in range(5):
        (tmp_path / f"{shade}.png").write_bytes(image(shade))
    opened: list[str] = []
    really_open = intake._open

    def watched(path: Path) -> BinaryIO:
        opened.append(path.name)
        return really_open(path)

    monkeypatch.setattr(intake, "_open", watched)
    result = read_paths([tmp_path], limit=2)
    assert opened == ["0.png", "1.png"]
    assert result.refusals[0].startswith("3 more files")


def test_one_path_or_several_as_text_or_as_path(tmp_path):
    file = tmp_path / "a.png"
    Image.new("RGB", (20, 20)).save(file)
    found = [read_paths(paths).images for paths in (file, str(file), [file], [str(file)], iter([file]))]
    assert [len(images) for images in found] == [1] * 5
    assert len({images[0].sha256 for images in found}) == 1


def test_a_path_that_may_not_be_entered_costs_a_sentence(tmp_path, monkeypatch):
    def forbidden(*_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "rglob", forbidden)
    monkeypatch.setattr(Path, "is_dir", forbidden)
    result = read_paths(tmp_path / "private.png")
    assert result.images == ()
    assert result.refusals == ("private.png was left out: Permission denied; check the path.",)
