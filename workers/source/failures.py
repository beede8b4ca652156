"""What goes wrong in PostgreSQL, told apart: away (try again later) or rows that cannot be read (mend them)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import psycopg
from sqlalchemy import exc

from shared.errors import InvalidData, SourceUnavailable


@contextmanager
def translate_database_errors(tenant_ids: Sequence[str] = ()) -> Iterator[None]:
    """Raise SourceUnavailable or InvalidData for the driver's errors; anything else is a fault of ours and rises.

    A row that cannot be read is reported of the batch's first tenant: only a batch of one knows whose row it is. A plan
    that was made before a table became something else fails once, and is made anew with the next try.
    """
    try:
        yield
    except (exc.DataError, psycopg.DataError) as error:
        cause = error.orig if isinstance(error, exc.DBAPIError) else error
        reason = str(cause).partition("\n")[0]
        raise InvalidData(tenant_ids[0] if tenant_ids else "", reason) from error
    except exc.NotSupportedError as error:
        if isinstance(error.orig, psycopg.Error) and error.orig.diag.source_function == "RevalidateCachedQuery":
            raise SourceUnavailable("the tables have changed") from error
        raise
    except (exc.OperationalError, exc.InterfaceError, exc.TimeoutError, psycopg.OperationalError) as error:
        cause = error.orig if isinstance(error, exc.DBAPIError) else error
        raise SourceUnavailable(type(cause).__name__) from error


def columns_have_changed(error: exc.DBAPIError) -> bool:
    """Whether a statement named a column that a relation has no more, or has by now beside the null put in its place."""
    return isinstance(error.orig, (psycopg.errors.UndefinedColumn, psycopg.errors.AmbiguousColumn))
