"""Exceptions, each named after who can mend it.

```
VentstreamError
├── ConfigError (ValueError)     the user: a configuration, an option, a sidecar        exit status 2
├── DataError                    the data could not be used                             exit status 1
│   ├── DecodeError (ValueError)     a recording or a device's stream is not what it should be
│   ├── SourceLost (ConnectionError) a live source ended or fell silent
│   └── OutputError (OSError)        a result could not be written (disk full, no permission)
└── BrokerError (ConnectionError) the MQTT broker cannot be reached or refuses us       exit status 1
```

Any other exception is a bug of this project.
"""

from __future__ import annotations


class VentstreamError(Exception):
    """Base of all errors a user may see. Its text is one line that says what, where and what to do."""


class ConfigError(VentstreamError, ValueError):
    """The user's configuration, option or sidecar cannot be used."""


class DataError(VentstreamError):
    """The data could not be used, or the results not kept."""


class DecodeError(DataError, ValueError):
    """A recording or stream cannot be read: unknown format, no usable row, wrong unit."""


class SourceLost(DataError, ConnectionError):  # noqa: N818 (named by what happened, as ConnectionReset is)
    """A live source closed or stalled."""


class OutputError(DataError, OSError):
    """A result file cannot be written."""


class BrokerError(VentstreamError, ConnectionError):
    """The MQTT broker cannot be reached, or it refuses the connection."""
