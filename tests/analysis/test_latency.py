from se_viz.analysis import latency
from se_viz.analysis.latency import ROUNDS, latencies_ms, median_latency_ms
from se_viz.demo.seresnet import SEResNet, SEResNetConfig


def test_time_is_measured():
    assert median_latency_ms(SEResNet(SEResNetConfig(width=4)), 32, seconds=0.01) > 0


def test_networks_are_timed_in_turns_and_a_slow_start_does_not_count(monkeypatch):
    timed = []

    def clock(network, side, seconds):
        timed.append(network)
        return {"gated": 3.0, "plain": 2.0}[network] * (5 if len(timed) == 1 else 1)

    monkeypatch.setattr(latency, "median_latency_ms", clock)
    assert latencies_ms({(2,): "gated", (): "plain"}, 128) == {(2,): 3, (): 2}
    assert timed == ["gated", "plain"] * ROUNDS
