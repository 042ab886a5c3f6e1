"""What can go wrong between a name and a network with weights, each with a sentence that says what to do."""


class UnknownModel(KeyError):
    """No model has that name; the message names those that come close."""

    def __str__(self) -> str:
        return str(self.args[0])


class WeightsRefused(ValueError):
    """A file is not the weights it is taken for, or does not fit the network."""


class TooDeep(WeightsRefused):
    """An architecture takes longer to build, with the arguments given, than any network."""


class Misfit(WeightsRefused):
    """The tensors of a file are not those of the architecture.

    Attributes:
        name, called: of the file and of the architecture.
        counts: how many tensors are missing, unexpected and of another shape; a sentence.
        differs: the same with some of their names.
        advice: sentences on what to do.
        better: architectures to take instead, the best first; their tensors are the file's if ``exact``.
        exact: whether they are.
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
        """Return the same with advice; where architectures fit exactly, names of tensors do not matter any more."""
        new = Misfit(self.name, self.called, self.counts, self.differs)
        new.advice, new.better, new.exact = advice, better, exact
        new.args = (f"{self.name} does not fit {self.called}. {self.counts if exact else self.differs} {advice}",)
        return new


class DownloadFailed(ValueError):
    """Weights could not be fetched; what has arrived is kept, so that the next try goes on from there."""


class Cancelled(RuntimeError):
    """Whoever asked for weights has changed their mind."""
