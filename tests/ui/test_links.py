"""Links that ask for something that does not exist say so, and what they open instead."""

import pytest
from support.pages import open_app, open_page


def said(boxes):
    return " ".join(box.value for box in boxes).replace("\\", "")


def warned(page):
    return said(page.warning)


def test_a_link_to_a_step_that_does_not_exist_says_which_there_are():
    page = open_page("how", step="99")
    assert "The link asks for step 99, but there are only " in warned(page)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("query", "words"),
    [
        ({"model": "demo/r17"}, "The link asks for model demo/r17"),
        ({"device": "abacus"}, "The link asks for device abacus"),
        (
            {"precision": "fp4"},
            "The link asks for precision fp4, but there are only fp32, bf16, fp16; fp32 is shown instead",
        ),
        ({"gate": "SE_9_9"}, "The link asks for gate SE_9_9"),
        ({"stage2": "SE_3_1"}, "The link asks for block of stage 2 SE_3_1, but there are only SE_2_1, SE_2_2"),
        ({"order": "colour"}, "The link asks for order of channels colour"),
        ({"focus": "99"}, "The link asks for image 99, but there is one image; image 1 is shown instead"),
        ({"focus": "-1"}, "The link asks for image -1"),
        ({"samples": "cat,dog"}, "The link asks for samples dog"),
    ],
)
def test_a_link_to_something_that_does_not_exist_says_so_until_another_choice(query, words):
    page = open_page("inspect", **query)
    assert not page.exception
    assert words in warned(page)
    assert words in warned(page.run())  # Chromium asks for a second run as soon as the first ends


def test_another_choice_ends_the_message():
    page = open_page("inspect", gate="SE_9_9")
    assert "SE_9_9" in warned(page)
    page.selectbox(key="gate").select("SE_2_1").run()
    assert not page.warning


@pytest.mark.slow
def test_a_gate_of_the_model_before_is_no_fault_of_a_link():
    page = open_page("inspect", gate="SE_5_2")
    page.selectbox(key="model").select("demo/r16-stages234").run()
    assert not page.exception
    assert not page.warning


def test_a_link_made_with_uploads_or_own_weights_says_what_it_lacks():
    page = open_app(uploads="3")
    assert "This link was made with 3 uploaded images, which it does not contain." in said(page.info)
    page = open_app(origin="your weights")
    assert "This link was made with weights that are not part of it" in said(page.info)


@pytest.mark.slow
def test_links_that_are_right_say_nothing():
    page = open_page("inspect", gate="SE_2_1", focus="1", samples="cat", order="mean", model="demo/r8")
    assert page.selectbox(key="gate").value == "SE_2_1"
    assert not page.warning
