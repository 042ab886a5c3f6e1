"""Choosing a pretrained model on the page, with a server of weights on this machine in place of the hub."""

from functools import partial

import pytest
from safetensors.torch import save
from support import pages

from se_viz.device import memory
from se_viz.device.memory import Memory
from se_viz.ui.markdown import escape_markdown
from se_viz.ui.widgets import download_weights as fetching
from se_viz.zoo import timm_source as from_timm

NAME = "test_efficientnet.r160_in1k"
open_page = partial(pages.open_page, "inspect", model=f"timm/{NAME}")


def test_it_says_how_large_before_it_fetches_and_then_shows_the_gates(weight_server):
    weight_server.hub_file(f"timm/{NAME}", save(from_timm.create("test_efficientnet").state_dict()))
    page = open_page()
    assert weight_server.asked == []
    assert page.button(key="fetch").label == "Download 1 MB"
    assert any(escape_markdown("0.4 M parameters, 2 gates") in text.value for text in page.caption)
    assert page.info[0].value == "No model is loaded. Choose one in the sidebar, or follow the message above."
    page.button(key="fetch").click().run()
    assert not page.exception
    assert not page.error
    assert any("test\\_efficientnet of timm" in text.value for text in page.caption)
    assert page.selectbox(key="gate").options == ["SE_4_1", "SE_5_1"]
    # The hub sends each request on to another host, where the file is fetched once.
    hosts = [headers["Host"] for method, _, headers in weight_server.asked if method == "GET"]
    assert sum(host.startswith("localhost") for host in hosts) == 1


@pytest.mark.parametrize(("faults", "said"), [([404], "404"), ([429] * 9, "429"), (["wrong"] * 9, "sha256")])
def test_a_download_that_fails_gets_a_sentence_and_can_be_tried_again(weight_server, faults, said):
    weight_server.hub_file(f"timm/{NAME}", save(from_timm.create("test_efficientnet").state_dict()))
    weight_server.faults.extend(faults)
    page = open_page()
    page.button(key="fetch").click().run()
    assert not page.exception
    assert said in page.error[0].value
    weight_server.faults.clear()
    page.button(key="fetch").click().run()
    assert not page.error
    assert page.selectbox(key="gate").options == ["SE_4_1", "SE_5_1"]


def test_a_connection_that_hangs_can_be_left(weight_server, monkeypatch):
    """While nothing arrives the bar is still written, which is where a click ends the run."""
    weight_server.hub_file(f"timm/{NAME}", save(from_timm.create("test_efficientnet").state_dict()))
    weight_server.faults.append("hold")

    class Clicked(BaseException):
        pass

    def click(progress):
        # Whatever has come has come: from here on the server is silent.
        if weight_server.held.is_set():
            raise Clicked

    with pytest.raises(Clicked):
        fetching._fetch(f"timm/{NAME}", click)
    weight_server.release.set()
    fetching._fetch(f"timm/{NAME}", lambda _: None)
    assert fetching.registry.listing(f"timm/{NAME}").cached


def test_what_there_is_no_memory_for_is_not_offered(weight_server, monkeypatch):
    monkeypatch.setattr(memory, "memory", lambda _: Memory(10**6, 10**9))
    page = open_page()
    assert "Not enough memory for timm/test" in page.error[0].value
    assert all(button.key != "fetch" for button in page.button)
    assert weight_server.asked == []
