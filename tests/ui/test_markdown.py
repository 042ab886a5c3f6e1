import pytest

from se_viz.ui.markdown import escape_markdown


@pytest.mark.parametrize(
    "name", ["![x](http://evil/x.png)", "[a](b)", "$x$ :red[y]", "<b>*_~`#", "![](https:&#47;&#47;evil)"]
)
def test_every_mark_is_disarmed(name):
    shown = escape_markdown(name)
    assert all(shown[index - 1] == "\\" for index, mark in enumerate(shown) if mark in "![]()$:<>*_~`#&")
    assert shown.replace("\\", "") == name
