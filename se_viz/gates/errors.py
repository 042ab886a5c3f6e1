"""What can go wrong with an instrument, each with a sentence that says what to do."""


class InstrumentError(ValueError):
    """A network cannot be read; the message says why and what to do."""


class NoGateFound(InstrumentError):
    """The network has no channel gate that could be proved."""


class NotFinite(NoGateFound):
    """The network's own numbers are NaN or infinite before any gate could be found; the message says where."""


class NotReadable(InstrumentError):
    """The network hides its modules: it is compiled, scripted or exported."""


class NotAnImageModel(InstrumentError):
    """The network does not take a batch of images."""


class PartlyFound(UserWarning):
    """Some gates of a network were seen and cannot be read; the message says which, why and what to do."""


class NotFiniteValues(UserWarning):
    """Values that were read are NaN or infinite; the message says which, the first gate first."""


class GatesChanged(InstrumentError):
    """The network is no longer the one whose gates were found."""
