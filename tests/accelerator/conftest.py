"""Tests on a device that is not the CPU; they run in a separate process, see tests/test_accelerator.py."""

import gc

# First, so that no part of the project sees a machine without an accelerator.
import accel
import pytest
import streamlit as st
import torch

from se_viz.ui.state import device_queue, models, uploaded_model


def pytest_collection_finish():
    """Keep the garbage collector, which each test calls, from all that has been imported: 0.9 s a call otherwise."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def memory():
    """The first device's memory, with nothing of earlier tests in it."""
    torch.manual_seed(0)
    for cache in (models._load, models._member, models._plain_member, uploaded_model.load):
        cache.clear()
    settle()
    st.cache_resource.clear()
    accel.fetched.clear()
    return accel.memory[0]


def settle():
    """Wait for what the page does on the devices, the freeing of models that it has let go included."""
    for device in ("accel:0", "accel:1", "cpu"):
        device_queue.line(device).submit(lambda: None).result(timeout=60)
    gc.collect()


@pytest.fixture
def settled():
    return settle
