"""What can go wrong with the registry.

SchoolbagError
 ├─ HomeError         the folder that holds bench id, keys and lists cannot be used
 ├─ RegistryError     the database cannot be used
 ├─ UnitError         no such unit, several of that name, or a tag that cannot be given
 │   └─ PrefixError   a prefix that cannot begin a tag
 ├─ UnitBusy          another fleet is at work on the device
 ├─ CustodyError      a unit cannot go where it is to go, or something has not been said
 ├─ VaultError        names cannot be read or kept: the key is not here, or is another one
 ├─ AccountError      no such student, place or SIM, or something of them that cannot be
 └─ FileError         a file with many records has mistakes; each is told with its row
     └─ OtherKey      a ledger of a bench that names students with another key of the vault
"""

from __future__ import annotations

from profiles.errors import SchoolbagError


class HomeError(SchoolbagError):
    """A file of the home folder cannot be read or made."""


class RegistryError(SchoolbagError):
    """The registry cannot be opened, read or written."""


class UnitError(SchoolbagError):
    """What was asked of a unit cannot be done, because of its name."""


class PrefixError(UnitError):
    """Tags cannot begin with this."""

    exit_code = 2


class UnitBusy(SchoolbagError):
    """Another fleet is at work on the device."""


class CustodyError(SchoolbagError):
    """A unit cannot go there from where it is, or what has to be said for it was not."""


class VaultError(SchoolbagError):
    """The vault of names cannot be used."""


class AccountError(SchoolbagError):
    """No such student, place, SIM or programme, or something that cannot be said of it."""


class FileError(SchoolbagError):
    """A file cannot be read as what it should be."""


class OtherKey(FileError):
    """A bench names students with another key of the vault."""
