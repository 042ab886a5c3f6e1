import pytest
import torch
from torch import nn

from se_viz.ui.server.limits import limits
from se_viz.ui.state.cache_budget import ByteBudget, capture_bytes, model_bytes, models
from se_viz.ui.state.models import _member, member


def test_what_was_used_longest_ago_leaves_first():
    left = []
    budget = ByteBudget(100)
    for name in "abc":
        budget.used(name, 30, lambda name=name: left.append(name))
    budget.used("a", 30, lambda: left.append("a"))
    budget.used("d", 40, lambda: left.append("d"))
    assert left == ["b"]
    assert budget.held() == 100
    budget.used("e", 500, lambda: left.append("e"))  # alone more than fits: it is in use
    assert left == ["b", "c", "a", "d"]
    assert budget.held() == 500


def test_weights_that_two_networks_share_count_once():
    one = nn.Linear(10, 10)
    twin = nn.Linear(10, 10)
    twin.weight = one.weight
    assert model_bytes(one, twin) == 4 * (100 + 10 + 10)
    assert model_bytes(nn.Linear(10, 10, device="meta")) == 0


def test_arrays_and_output_of_a_reading_are_counted(captured):
    arrays = sum(gate_capture.s.nbytes + gate_capture.z.nbytes for gate_capture in captured)
    maps = captured["SE_5_2"].u.nbytes + captured["SE_5_2"].x.nbytes
    assert isinstance(captured.output, torch.Tensor)
    assert capture_bytes(captured) == arrays + maps + captured.output.nbytes


@pytest.mark.slow
def test_models_beyond_the_budget_are_closed(monkeypatch):
    monkeypatch.setenv("SE_VIZ_MODELS_LIMIT", "25e6")  # a demo model takes 18 MB with its fast twin
    limits.cache_clear()
    models.cache_clear()
    _member.clear()
    try:
        one = member("demo/r16", "cpu")
        assert member("demo/r16", "cpu") is one
        member("demo/r8", "cpu")
        assert models().held() < 25e6
        assert member("demo/r16", "cpu") is not one
    finally:
        limits.cache_clear()
        models.cache_clear()
        _member.clear()
