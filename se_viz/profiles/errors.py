"""What can go wrong with an atlas, each with a sentence that says what to do."""


class AtlasError(ValueError):
    """An atlas cannot be made or used; the message says why and what to do."""


class AtlasRefused(AtlasError):
    """A file is no atlas that this version reads."""


class AtlasMismatch(AtlasError):
    """An atlas is of another model, of another dataset, or not alike enough to be merged."""


class NotInAtlas(AtlasError):
    """The atlas was made without what is asked for."""


class OtherPass(AtlasError):
    """A folder holds the atlas or the shards of a pass over other pictures, or by another network or settings."""


# What is said of an image that was left out for its numbers, after what is so.
NOT_FINITE = "is not finite (NaN or infinite)"
