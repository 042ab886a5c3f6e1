"""Choosing a pretrained model on the page, with a server of weights on this machine in place of the hub."""

from functools import partial

import pytest
from safetensors.torch import save
from support import pages

from se_viz.device import memory
from se_viz.device.memory import Memory
from se_viz.ui.markdown import escape_markdown
from se_viz.ui.widgets import download_weights, paper_network_card
from se_viz.weights import cache, hub_cache
from se_viz.zoo import registry, timm_source

NAME = "test_efficientnet.r160_in1k"
open_page = partial(pages.open_page, "inspect", model=f"timm/{NAME}")


def test_it_says_how_large_before_it_fetches_and_then_shows_the_gates(weight_server):
    weight_server.hub_file(f"timm/{NAME}", save(timm_source.create("test_efficientnet").state_dict()))
    page = open_page()
    assert weight_server.asked == []
    assert page.button(key="fetch").label == "Download 1 MB"
    assert any(escape_markdown("0.4 M parameters, 2 gates") in text.value for text in page.caption)
    assert page.info[0].value.startswith("No model is loaded.")
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
    weight_server.hub_file(f"timm/{NAME}", save(timm_source.create("test_efficientnet").state_dict()))
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
    weight_server.hub_file(f"timm/{NAME}", save(timm_source.create("test_efficientnet").state_dict()))
    weight_server.faults.append("hold")

    class Clicked(BaseException):
        pass

    def click(progress):
        # Whatever has come has come: from here on the server is silent.
        if weight_server.held.is_set():
            raise Clicked

    with pytest.raises(Clicked):
        download_weights._fetch(f"timm/{NAME}", click)
    weight_server.release.set()
    download_weights._fetch(f"timm/{NAME}", lambda _: None)
    assert download_weights.registry.listing(f"timm/{NAME}").cached


def test_what_there_is_no_memory_for_is_not_offered(weight_server, monkeypatch):
    monkeypatch.setattr(memory, "memory", lambda _: Memory(10**6, 10**9))
    page = open_page()
    assert "Not enough memory for timm/test" in page.error[0].value
    assert all(button.key != "fetch" for button in page.button)
    assert weight_server.asked == []


PAPERS = paper_network_card.NAME


def offered(page):
    """Labels of the card's buttons."""
    return [button.label for button in page.button if button.key in ("use_paper", "dismiss_paper")]


@pytest.mark.slow
def test_a_visitor_of_a_demo_model_is_offered_the_papers_network_without_a_request(weight_server):
    page = pages.open_page("inspect")
    facts = registry.listing(PAPERS)
    words = f"{facts.params / 1e6:.0f} M parameters, {facts.size / 1e6:.0f} MB download"
    assert any(escape_markdown(words) in text.value for text in page.markdown)
    assert offered(page) == ["Download and use it", "Not now"]
    assert weight_server.asked == []
    page.button(key="dismiss_paper").click().run()
    assert not offered(page)
    assert not offered(pages.open_page("inspect", present="1"))
    assert not offered(pages.open_page("inspect", model=f"timm/{NAME}"))


def test_the_card_chooses_the_papers_network_and_starts_its_download(weight_server, monkeypatch):
    weight_server.hub_file(f"timm/{NAME}", save(timm_source.create("test_efficientnet").state_dict()))
    monkeypatch.setattr(paper_network_card, "NAME", f"timm/{NAME}")
    page = pages.open_page("inspect")
    page.button(key="use_paper").click().run()
    assert not page.exception
    assert page.selectbox(key="model").value == f"timm/{NAME}"
    assert page.selectbox(key="gate").options == ["SE_4_1", "SE_5_1"]


def test_the_card_says_when_nothing_has_to_be_downloaded_and_is_not_shown_offline(weight_server, monkeypatch):
    monkeypatch.setattr(hub_cache, "is_offline", lambda: True)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert not offered(pages.open_page("inspect"))
    file = cache.folder() / timm_source.weights("legacy_seresnet50", "in1k")._cache_path
    file.parent.mkdir(parents=True)
    file.write_bytes(b"")
    page = pages.open_page("inspect")
    assert offered(page) == ["Use it", "Not now"]
    assert any("already on this machine" in text.value for text in page.markdown)


def test_the_card_is_not_shown_after_a_download_that_failed(weight_server):
    weight_server.faults.append(404)
    page = open_page()
    page.button(key="fetch").click().run()
    assert page.error
    assert not offered(pages.open_page("inspect"))
    download_weights._note(failed=False)
