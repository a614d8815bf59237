"""What can go wrong in access.

```
AccessError
├── BadUser        a service user's name or grants cannot be; the text names what
├── UserExists     another service user has that name
└── UnknownUser    no service user has that name
```
A refusal is no error: `AudioGate` and `Tokens.authenticate` return theirs.
"""


class AccessError(Exception):
    """What was asked of access cannot be done."""


class BadUser(AccessError):
    """A service user's name or grants that cannot be; the text names what."""


class UserExists(AccessError):
    """Another service user has that name."""


class UnknownUser(AccessError):
    """No service user has that name."""
