"""What can go wrong between the box and the district."""


class SyncError(Exception):
    """The root of all errors of this package."""


class Unreadable(SyncError, ValueError):
    """An envelope or a message cannot be read; the text says why, in words fit for the quarantine row."""


class BrokerUnreachable(SyncError, ConnectionError):
    """No broker answers at the address in the settings; the box waits and tries again."""


class NotAuthorized(SyncError, PermissionError):
    """The broker does not let this client in, or not to this topic: a new enrolment is needed, not another try."""


class BadId(SyncError, ValueError):
    """An id cannot stand in a topic; the text says what is allowed. It does not repeat the id, which may be a name."""


class StoreUnavailable(SyncError, ConnectionError):
    """The district's database does not answer: nothing is acknowledged, nothing receipted; open it again later."""
