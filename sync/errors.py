"""What can go wrong between the box and the district."""


class SyncError(Exception):
    """The root of all errors of this package."""


class Unreadable(SyncError, ValueError):
    """An envelope or a message cannot be read; the text says why, in words fit for the quarantine row."""


class BrokerUnreachable(SyncError, ConnectionError):
    """No broker answers at the address in the settings; the box waits and tries again."""
