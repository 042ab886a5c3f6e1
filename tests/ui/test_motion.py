"""Nothing on a page moves by an animation under the pointer."""

import re
from pathlib import Path

import pytest
from support.pages import open_page

UI = Path(__file__).parents[2] / "se_viz" / "ui"
CALL = re.compile(r"\.\w+\(")


def test_no_expander_is_used():
    """It is animated whenever it opens or its content changes, and moves by that all that is in it and below it."""
    # A status is an expander by another name.
    assert [
        path.name for path in UI.rglob("*.py") if {".expander(", ".status("} & set(CALL.findall(path.read_text()))
    ] == []


@pytest.mark.slow
@pytest.mark.parametrize("page", ["inspect", "how", "intervene", "classes", "reduction", "network"])
def test_no_page_has_one(page):
    assert not open_page(page).expander
