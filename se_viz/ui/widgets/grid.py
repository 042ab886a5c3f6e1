"""Columns for items that stand two in a row."""

from collections.abc import Iterator, Sequence
from typing import TypeVar

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

T = TypeVar("T")


def grid(items: Sequence[T], across: int = 2) -> Iterator[tuple[DeltaGenerator, T]]:
    """Yield each item with its column, ``across`` in a row."""
    for start in range(0, len(items), across):
        yield from zip(st.columns(across, gap="medium"), items[start : start + across], strict=False)
