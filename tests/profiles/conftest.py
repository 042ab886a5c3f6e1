import pytest
from support.profiling import SETTINGS, make_images, tiny

from se_viz.data.images import decode
from se_viz.interventions.capture import capture
from se_viz.profiles.profile import profile


@pytest.fixture(scope="session")
def tiny_model():
    return tiny()


@pytest.fixture(scope="session")
def photos(tmp_path_factory):
    """Three classes of five images, one of them broken."""
    folder = make_images(tmp_path_factory.mktemp("photos"))
    (folder / "bee" / "2.png").write_bytes(b"\x89PNG\r\n\x1a\nbroken")
    return folder


@pytest.fixture(scope="session")
def whole(tiny_model, photos, tmp_path_factory):
    """Class profiles in one go, with single images."""
    return profile(tiny_model, photos, tmp_path_factory.mktemp("whole"), **SETTINGS)


@pytest.fixture(scope="session")
def raw(tiny_model, photos, whole):
    """What the instrument itself reads of the same images, in the class profiles' order."""
    shown = [decode(name, (photos / name).read_bytes()) for name in whole.table.names]
    return capture(tiny_model, shown, batch=1)
