"""Errors of finding, downloading, reading and fitting weights; each message says what to do."""


class UnknownModel(KeyError):
    """An unknown name of a model; the message suggests similar ones."""

    def __str__(self) -> str:
        return str(self.args[0])


class BuildFailed(ValueError):
    """Error for a registered model whose function failed, or returned something else than a network."""


class WeightsRefused(ValueError):
    """A file that does not contain usable weights, or does not fit the network."""


class TooDeep(WeightsRefused):
    """An architecture whose arguments make it take longer to build than any real network."""


class Misfit(WeightsRefused):
    """A file whose tensors are not those of the architecture.

    Attributes:
        name, called: names of the file and of the architecture.
        counts: sentence on how many tensors are missing, unexpected and of another shape.
        differs: the same with some of their names.
        advice: sentences on what to do.
        better: architectures to use instead, the best first.
        exact: whether the tensors of ``better`` are exactly those of the file.
    """

    def __init__(self, name: str, called: str, counts: str, differs: str) -> None:
        super().__init__(f"{name} does not fit {called}. {differs}")
        self.name = name
        self.called = called
        self.counts = counts
        self.differs = differs
        self.advice = ""
        self.better: tuple[str, ...] = ()
        self.exact = False

    def advised(self, advice: str, better: tuple[str, ...] = (), *, exact: bool = False) -> "Misfit":
        """Return the same error with advice; if architectures fit exactly, its message has no names of tensors."""
        new = Misfit(self.name, self.called, self.counts, self.differs)
        new.advice, new.better, new.exact = advice, better, exact
        new.args = (f"{self.name} does not fit {self.called}. {self.counts if exact else self.differs} {advice}",)
        return new


class DownloadFailed(ValueError):
    """A download that failed; what has arrived is kept, and the next try continues from there."""


class Cancelled(RuntimeError):
    """A download or a reading that was cancelled by its caller."""
