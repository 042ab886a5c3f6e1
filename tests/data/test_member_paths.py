import os
from pathlib import Path, PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from se_viz.data.member_paths import member_path


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("a/b.jpg", "a/b.jpg"),
        ("/a/./b.jpg", "a/b.jpg"),
        ("../../a/b.jpg", "a/b.jpg"),
        ("//server/a/b.jpg", "server/a/b.jpg"),
        ("c/../a/b.jpg", "a/b.jpg"),
        ("a\\b.jpg", "a/b.jpg"),
        ("..\\a\\b.jpg", "a/b.jpg"),
        ("a/ b .jpg", "a/ b .jpg"),
    ],
)
def test_the_path_of_a_member(name, path):
    assert member_path(name) == PurePosixPath(path)


@given(st.lists(st.sampled_from(["a", "b.jpg", "..", ".", "", "/", "\\"]), max_size=8).map("/".join))
def test_no_name_leads_out_of_the_folder(name):
    inside = Path(os.path.normpath(Path("/folder") / member_path(name)))
    assert inside.is_relative_to("/folder")
