import gc
from dataclasses import replace

from PIL import Image

from se_viz.data.image_files import Intake
from se_viz.data.images import InputImage
from se_viz.ui.server.limits import limits
from se_viz.ui.state import image_budget as kept_images
from se_viz.ui.state.image_budget import KeptImages

SIZE = 100 * 100 * 3
LOTS = 10**9


def make_images(*names):
    return [InputImage(name, name, Image.new("RGB", (100, 100)), (100, 100)) for name in names]


def test_sessions_with_the_same_file_share_its_image():
    images = KeptImages()
    (one,), _ = images.keep(make_images("a"), LOTS, LOTS)
    (other,), _ = images.keep([replace(image, name="b") for image in make_images("a")], LOTS, LOTS)
    assert other.rgb is one.rgb
    assert (other.name, one.name) == ("b", "a")
    assert images.held() == SIZE


def test_an_image_goes_with_the_last_session_that_holds_it():
    images = KeptImages()
    one, _ = images.keep(make_images("a", "b"), LOTS, LOTS)
    other, _ = images.keep(make_images("b"), LOTS, LOTS)
    del one
    gc.collect()
    assert images.held() == SIZE
    del other
    gc.collect()
    assert images.held() == 0


def test_what_is_too_much_for_a_session_is_left_out_with_a_sentence():
    kept, sentence = KeptImages().keep(make_images(*"abcd"), 3 * SIZE, LOTS)
    assert [image.name for image in kept] == ["a", "b", "c"]
    assert sentence.startswith(
        "1 image was left out: this server keeps at most 0 MB of decoded images for each visitor"
    )
    kept, sentence = KeptImages().keep(make_images(*"abcd"), SIZE - 1, LOTS)
    assert kept == []
    assert sentence.startswith("4 images were left out")


def test_fifty_sessions_of_64_images_stay_within_the_budget_of_the_process():
    images = KeptImages()
    sessions = [
        images.keep(make_images(*(f"{session} {index}" for index in range(64))), LOTS, 640 * SIZE)
        for session in range(50)
    ]
    assert images.held() == 640 * SIZE
    assert [len(kept) for kept, _ in sessions] == [64] * 10 + [0] * 40
    assert "for all its visitors; choose fewer, or try again later" in sessions[-1][1]
    # What others hold already costs nothing more.
    again, sentence = images.keep(make_images(*(f"3 {index}" for index in range(64))), LOTS, 640 * SIZE)
    assert (len(again), sentence) == (64, None)


def test_the_sentence_stands_with_those_of_the_files_that_were_refused(monkeypatch):
    monkeypatch.setenv("SE_VIZ_SESSION_IMAGES_LIMIT", str(2 * SIZE))
    limits.cache_clear()
    try:
        found = kept_images.within_budget(Intake(tuple(make_images(*"abc")), ("x was left out.",)))
    finally:
        limits.cache_clear()
    assert [image.name for image in found.images] == ["a", "b"]
    assert found.refusals[0] == "x was left out."
    assert "1 image was left out" in found.refusals[1]
