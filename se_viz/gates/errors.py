"""The errors and warnings of an instrument; each message says what to do."""


class InstrumentError(ValueError):
    """A network whose gates cannot be read; the message says why and what to do."""


class NoGateFound(InstrumentError):
    """A network without a channel gate that could be verified."""


class NotFinite(NoGateFound):
    """A network whose numbers are NaN or infinite before any gate could be found; the message says where."""


class NotReadable(InstrumentError):
    """A network that hides its modules because it is compiled, scripted or exported."""


class NotAnImageModel(InstrumentError):
    """A network that does not take a batch of images."""


class PartlyFound(UserWarning):
    """A warning that some gates of a network cannot be read; the message says which, why and what to do."""


class NotFiniteValues(UserWarning):
    """A warning that values of gates are NaN or infinite; the message says which, first gate first."""


class GatesChanged(InstrumentError):
    """A network that has changed since its gates were found."""


class InputOverwritten(GatesChanged):
    """A pass in which a gate overwrote the maps U that it had left as they were in earlier passes."""
