"""What happens to a model that makes room for others in a cache that sessions share."""

from se_viz.gates.model import Model
from se_viz.ui import turns
from se_viz.zoo.memory import release


def let_go(model: Model) -> None:
    """Free its device; a session that still shows it goes on on the CPU."""
    device = model.device
    model.close()
    if device.type == "cpu":
        return

    def free() -> None:
        model.network.cpu()
        release(device)

    turns.line(str(device)).submit(free)  # not in the middle of a reading
