"""Which cases of a long list `make test-quick` and `make test` run."""

from collections.abc import Iterable

import pytest


def sampled(cases: Iterable, every: int = 8) -> list:
    """Return all cases as parameters; all but one in ``every`` are marked slow."""
    return [pytest.param(case, marks=[pytest.mark.slow] if index % every else []) for index, case in enumerate(cases)]


def every(step: int, cases: Iterable) -> list:
    """Return all cases as parameters; `make test` runs one in ``step``, `make test-exhaustive` all."""
    return [
        pytest.param(case, marks=[pytest.mark.exhaustive] if index % step else []) for index, case in enumerate(cases)
    ]


def exhaustive(*cases) -> list:
    """Return cases as parameters that only `make test-exhaustive` runs."""
    return [
        pytest.param(*(case if isinstance(case, tuple) else (case,)), marks=pytest.mark.exhaustive) for case in cases
    ]
