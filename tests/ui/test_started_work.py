"""What a person starts is started, also where another click ends the run before it has reached the button."""

import io

import pytest
import streamlit as st
from PIL import Image
from safetensors.torch import save
from support.pages import open_page, open_tab

import se_viz
from se_viz.device.devices import resolve
from se_viz.ui.state import models
from se_viz.ui.widgets import head_picker, profile_pass
from se_viz.zoo import timm_source


@pytest.fixture
def interrupt(monkeypatch):
    """A function after which the next run of a page is ended near its top and begun again, as a click does it."""

    def once():
        choose = head_picker.choose

        def interrupted():
            monkeypatch.setattr(head_picker, "choose", choose)
            st.rerun()

        monkeypatch.setattr(head_picker, "choose", interrupted)

    return once


@pytest.fixture
def photos(tmp_path, monkeypatch):
    for place, name in enumerate(("ants", "bees")):
        (tmp_path / "photos" / name).mkdir(parents=True)
        for index in range(3):
            out = io.BytesIO()
            Image.new("RGB", (64, 64), (90 * place, 30 * index, 80)).save(out, "PNG")
            (tmp_path / "photos" / name / f"{index}.png").write_bytes(out.getvalue())
    monkeypatch.setenv("SE_VIZ_PROFILES", str(tmp_path / "profiles"))
    monkeypatch.setenv("SE_VIZ_DATA", str(tmp_path / "photos"))
    return tmp_path / "photos"


def press(page, key, interrupt):
    button = page.button(key=key).click()
    interrupt()
    button.run()
    assert not page.exception


@pytest.mark.slow
def test_class_profiles(photos, interrupt):
    page = open_page("classes", view="Your images")
    press(page, "make_server_profiles", interrupt)
    assert page.success
    assert len(list((photos.parent / "profiles").rglob("profiles.safetensors"))) == 1


@pytest.mark.slow
def test_a_build_that_another_click_ends_goes_on_by_itself(photos, monkeypatch):
    run, ended = profile_pass._run, []

    def ends_once(*args):
        if not ended:
            ended.append(True)
            st.rerun()
        run(*args)

    monkeypatch.setattr(profile_pass, "_run", ends_once)
    page = open_page("classes", view="Your images")
    page.button(key="make_server_profiles").click().run()
    assert ended
    assert page.success


@pytest.mark.slow
@pytest.mark.parametrize("own", [True, False])
def test_a_run_that_is_still_in_a_batch_is_waited_for_if_it_is_of_the_same_session(photos, monkeypatch, own):
    """As after a new connection of the browser, where the last run has not seen that it is to end."""
    page = open_page("classes", view="Your images")
    claimed, ended = {}, []
    monkeypatch.setattr(profile_pass, "_making", claimed)

    def end(_seconds):
        ended.append(True)
        claimed.clear()

    monkeypatch.setattr(profile_pass._ended, "wait", end)
    monkeypatch.setattr(profile_pass, "session_id", lambda: "this")
    out = []
    claim = profile_pass._reserve

    def still_held(folder):
        if not out:
            out.append(folder)
            claimed[folder] = "this" if own else "another"
        return claim(folder)

    monkeypatch.setattr(profile_pass, "_reserve", still_held)
    page.button(key="make_server_profiles").click().run()
    assert bool(ended) == own
    assert bool(page.success) == own
    assert own or any("Another session" in info.value for info in page.info)


@pytest.mark.slow
def test_a_build_goes_on_while_another_tab_is_open(photos, monkeypatch):
    begun = []

    def begins(*args):
        begun.append(args)
        st.stop()

    page = open_page("classes", view="Your images")
    with monkeypatch.context() as patch:
        patch.setattr(profile_pass, "_run", begins)
        page.button(key="make_server_profiles").click().run()
    assert begun
    open_tab(page, "Figure 6")
    assert len(list((photos.parent / "profiles").rglob("profiles.safetensors"))) == 1
    assert open_tab(page, "Your images").success


def test_a_build_of_another_network_waits_for_it_and_can_be_stopped(photos, monkeypatch):
    page = open_page("classes")
    page.session_state["requested_pass"] = profile_pass.Request("another", ("folder", str(photos)), str(photos))
    page.run()
    assert any("are of another network" in info.value for info in page.info)
    monkeypatch.setattr(profile_pass, "_run", lambda *_: profile_pass._stop() or st.rerun())  # as the button Stop
    open_tab(page, "Your images")
    assert any("are of another network" in info.value for info in page.info)
    page.button(key="make_server_profiles").click().run()
    assert not page.success
    assert any("Stopped" in info.value for info in page.info)


@pytest.mark.slow
def test_download(weight_server, interrupt):
    name = "test_efficientnet.r160_in1k"
    weight_server.hub_file(f"timm/{name}", save(timm_source.create("test_efficientnet").state_dict()))
    page = open_page("inspect", model=f"timm/{name}")
    press(page, "fetch", interrupt)
    assert page.selectbox(key="gate").options == ["SE_4_1", "SE_5_1"]


@pytest.mark.slow
def test_time(interrupt):
    page = open_page("reduction", network="demo/r16")
    press(page, "time", interrupt)
    assert any("ms** with these gates" in text.value for text in page.markdown)


def test_go_on(interrupt):
    page = open_page("inspect")
    page.session_state["stopped"] = (f"demo/r16 {resolve('auto')} fp32", (se_viz.sample("cat").sha256,))
    page.run()
    (button,) = (button for button in page.button if button.label == "Continue")
    press(page, button.key, interrupt)
    assert page.get("plotly_chart")


def test_try_the_device_again(interrupt):
    page = open_page("inspect")
    device = str(resolve("auto"))
    page.session_state[models.FULL] = (device, f"There is no room on {device}: try a smaller one.")
    page.run()
    press(page, "try_again", interrupt)
    assert not page.warning
