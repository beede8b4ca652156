"""Which tenant ids can be served: one rule for what a mapping holds and what a token names."""

from __future__ import annotations

import re

MAX_ID_CHARS = 255

# Characters that nobody sees or that end a line: they cannot be told apart in an address, a log or a key. Given by code
# point, because PostgreSQL's own classes depend on the database's locale. From U+0100 on a database in another encoding than
# UTF-8 knows none of them.
_INVISIBLE_ASCII = r"\x01-\x1f\x7f"
_INVISIBLE_BEYOND = (
    r"\u0080-\u00a0\u00ad\u061c\u1680\u180e\u2000-\u200f\u2028-\u202f\u205f-\u206f\u3000\ufeff\ufff9-\uffff"
)

# "*" is everyone, "." and ".." are taken out of addresses by whoever passes them on, and a / divides them.
RESERVED = ("*", ".", "..")

WORDS = f"1 to {MAX_ID_CHARS} visible characters, no slash, and not *, . or .."
"""The rule for people."""

_REFUSED = re.compile(f"[/\\x00\ud800-\udfff{_INVISIBLE_ASCII}{_INVISIBLE_BEYOND}]")


def can_be_served(tenant_id: str) -> bool:
    """Whether a tenant of this id can be named by a token and an address."""
    return 0 < len(tenant_id) <= MAX_ID_CHARS and tenant_id not in RESERVED and _REFUSED.search(tenant_id) is None


def servable_sql(value: str, *, encoding: str) -> str:
    """The same in SQL, of an expression of type text that is not null, in a database of that encoding."""
    refused = f"[/{_INVISIBLE_ASCII}{_INVISIBLE_BEYOND if encoding == 'UTF8' else ''}]"
    reserved = ", ".join(f"'{word}'" for word in RESERVED)
    return f"(length({value}) BETWEEN 1 AND {MAX_ID_CHARS} AND {value} NOT IN ({reserved}) AND {value} !~ '{refused}')"
