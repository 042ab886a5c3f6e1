import pytest
from support.served import Served


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    """The page with its defaults, and metrics so that tests see what it holds."""
    with Served(tmp_path_factory.mktemp("server"), {"SE_VIZ_METRICS": "1"}) as served:
        yield served
