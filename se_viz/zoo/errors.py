"""What can go wrong between a name and a network with weights, each with a sentence that says what to do."""


class UnknownModel(KeyError):
    """No model has that name; the message names those that come close."""

    def __str__(self) -> str:
        return str(self.args[0])


class WeightsRefused(ValueError):
    """A file is not the weights it is taken for, or does not fit the network."""


class DownloadFailed(ValueError):
    """Weights could not be fetched; what has arrived is kept, so that the next try goes on from there."""


class Cancelled(RuntimeError):
    """Whoever asked for weights has changed their mind."""
