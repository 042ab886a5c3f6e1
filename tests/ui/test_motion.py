"""Nothing on a page moves by an animation under the pointer."""

from pathlib import Path

import pytest
from support.pages import open_page

UI = Path(__file__).parents[2] / "se_viz" / "ui"


@pytest.mark.parametrize("module", sorted(UI.glob("*.py")), ids=lambda path: path.stem)
def test_no_expander_is_used(module):
    """It is animated whenever it opens or its content changes, and moves by that all that is in it and below it."""
    source = module.read_text()
    assert ".expander(" not in source
    assert ".status(" not in source  # an expander by another name


@pytest.mark.slow
@pytest.mark.parametrize("page", ["inspect", "classes", "reduction", "network"])
def test_no_page_has_one(page):
    assert not open_page(page).expander
