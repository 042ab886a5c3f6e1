"""What can go wrong with class profiles, each with a sentence that says what to do."""


class ProfilesError(ValueError):
    """Class profiles cannot be made or used; the message says why and what to do."""


class ProfilesRefused(ProfilesError):
    """A file does not hold class profiles that this version reads."""


class ProfilesMismatch(ProfilesError):
    """Class profiles are of another model, of another dataset, or not alike enough to be merged."""


class NotInProfiles(ProfilesError):
    """The class profiles were made without what is asked for."""


class OtherPass(ProfilesError):
    """A folder holds the class profiles or the shards of a pass over other images, or by another network or
    settings.
    """


# What is said of an image that was left out for its numbers, after what is so.
NOT_FINITE = "is not finite (NaN or infinite)"
