"""Errors of class profiles; each message says what to do."""


class ProfilesError(ValueError):
    """Class profiles cannot be made or used; the message says why and what to do."""


class ProfilesRefused(ProfilesError):
    """A file has no class profiles that this version can read."""


class ProfilesMismatch(ProfilesError):
    """Class profiles are of another model or dataset, or too different to be merged."""


class NotInProfiles(ProfilesError):
    """The class profiles do not have the requested data."""


class OtherPass(ProfilesError):
    """A folder has the class profiles or the shards of a pass with other images, another network or other settings."""


# End of the sentence on an image that was left out, after the name of the numbers.
NOT_FINITE = "is not finite (NaN or infinite)"
