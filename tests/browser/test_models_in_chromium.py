"""Models that are fetched, and models that are handed in."""

import os
import re

import pytest
import torch
from playwright.sync_api import expect
from support.checkpoints import Evil, pickled
from support.chromium import settle

from se_viz.zoo import timm_source

pytestmark = pytest.mark.browser
expect.set_options(timeout=60_000)


def test_the_papers_network_is_fetched_with_visible_progress(open_page_of, serving, weight_server, tmp_path):
    torch.manual_seed(0)
    url = weight_server.release_file("seresnet50", pickled(timm_source.create("legacy_seresnet50").state_dict()))
    weight_server.faults.append("hold")
    variables = {"SE_VIZ_CACHE": str(tmp_path / "cache"), "SE_VIZ_TEST_RELEASE": url}
    with serving("tests/browser/app_with_a_weight_server.py", tmp_path, variables) as address:
        page = open_page_of("?model=timm/legacy_seresnet50.in1k&samples=cat", server=address, wait=False)
        page.get_by_role("button", name=re.compile("Download 11[0-9] MB")).click()
        # The server has sent half of it and waits.
        expect(page.get_by_text(re.compile(r"5[0-9]\.[0-9] of 11[0-9]\.[0-9] MB"))).to_be_visible()
        expect(page.get_by_role("button", name="Stop")).to_be_visible()
        weight_server.release.set()
        settle(page)
        expect(page.get_by_text("16 gates, input 224 × 224, fp32 on cpu")).to_be_visible()
        expect(
            page.get_by_role("figure", name=re.compile("weights s of SE_4_6: 1024 channels of one image"))
        ).to_have_count(1)


def put(page, name, content):
    page.locator('.st-key-own_weights [data-testid="stFileUploaderDropzoneInput"]').set_input_files(
        {"name": name, "mimeType": "application/octet-stream", "buffer": content}
    )


def hand_in(page, name, content):
    page.get_by_role("radio", name="your weights").click()
    page.get_by_role("combobox", name="Architecture").fill("timm/test_efficientnet")
    page.get_by_role("option", name="timm/test_efficientnet", exact=True).click()
    put(page, name, content)


def test_hostile_weights_are_refused_and_better_ones_taken(open_page, tmp_path):
    page = open_page("?samples=cat")
    hand_in(page, "evil.pth", pickled({"a": Evil(tmp_path / "trap")}))
    expect(page.get_by_role("alert").filter(has_text="nothing was run")).to_be_visible()
    assert not (tmp_path / "trap").exists()
    torch.manual_seed(0)
    put(page, "mine.pth", pickled(timm_source.create("test_efficientnet", num_classes=5).state_dict()))
    expect(page.get_by_text(re.compile("2 gates, input [0-9]+ × [0-9]+, fp32 on cpu"))).to_be_visible()
    expect(page.get_by_role("figure", name=re.compile("weights s of SE_5_1"))).to_have_count(1)
    page.get_by_role("tab", name="Export").click()
    expect(page.get_by_text("se_viz.load_checkpoint")).to_be_visible()
    settle(page)


# test_network_page.py has its charts, and test_policy_in_chromium.py opens it.
@pytest.mark.exhaustive
def test_the_network_page_draws_the_block(open_page):
    page = open_page("network?samples=cat&gate=SE_4_2")
    expect(page.get_by_role("figure", name=re.compile("The 8 gates of demo.r16"))).to_have_count(1)
    expect(page.get_by_role("figure", name=re.compile("SE_4_2 is at the end of the residual branch"))).to_have_count(1)


def test_a_session_that_waits_for_another_is_told_its_place(open_page_of, serving, tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with serving("tests/browser/app_with_a_held_reading.py", tmp_path, {"SE_VIZ_TEST_PIPE": str(pipe)}) as address:
        first = open_page_of("?samples=cat", server=address, wait=False)
        expect(first.get_by_text("Reading the gates …")).to_be_visible()
        second = open_page_of("?samples=temple", server=address, wait=False)
        expect(second.get_by_text("Waiting for cpu: 1 capture ahead in the queue.")).to_be_visible()
        pipe.write_bytes(b"go on")
        for page in (first, second):
            settle(page)
            expect(page.get_by_text("the closest is")).to_be_visible()
            expect(page.get_by_text("Waiting for cpu")).to_have_count(0)
