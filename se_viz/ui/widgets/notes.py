"""Warnings on what was left out or is not known: a few in a box each, many in one box with a list to open."""

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from se_viz.data.left_out_summary import FEW, LEFT_OUT, summing_up
from se_viz.ui.markdown import escape_markdown

_HEIGHT = 320  # pixels of the list, which scrolls


def warn(sentences: Sequence[str], key: str) -> None:
    """Show sentences as warnings; ``key`` identifies the list on the page."""
    if len(sentences) <= FEW:
        for sentence in sentences:
            st.warning(escape_markdown(sentence))
        return
    st.warning(escape_markdown(summing_up(sentences)))
    # Not an expander: its animation on opening and on changes would move the page below it.
    with st.popover(f"List all {len(sentences):,}", icon=":material/list:", type="tertiary", key=f"{key}_list"):
        st.dataframe(_table(sentences), hide_index=True, height=_HEIGHT, width=640, key=f"{key}_table")


def _table(sentences: Sequence[str]) -> pd.DataFrame:
    """Return a table with a row for each sentence; file and reason have a column each, where the sentence has both."""
    split = [sentence.partition(LEFT_OUT) for sentence in sentences]
    if not any(said for _, said, _ in split):
        return pd.DataFrame({"note": list(sentences)})
    return pd.DataFrame(
        {
            "file": [name if said else "" for name, said, _ in split],
            "why it was left out, and what to do": [reason if said else name for name, said, reason in split],
        }
    )
