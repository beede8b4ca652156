"""What goes wrong in PostgreSQL, told apart: away (try again later) or rows that cannot be read (mend them)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import psycopg
from sqlalchemy import exc

from shared.errors import InvalidData, SourceUnavailable
from workers.source.reasons import first_line


@contextmanager
def translate_database_errors(tenant_ids: Sequence[str] = ()) -> Iterator[None]:
    """Raise SourceUnavailable or InvalidData for the driver's errors; anything else is a fault of ours and rises.

    A row that cannot be read, or a view that has gone around a migration of the host's, is reported of the batch's first
    tenant: only a batch of one knows whose row it is. A plan that was made before a table became something else fails once,
    and is made anew with the next try.
    """
    try:
        yield
    except (exc.ProgrammingError, psycopg.ProgrammingError) as error:
        cause = error.orig if isinstance(error, exc.DBAPIError) else error
        if isinstance(cause, psycopg.errors.UndefinedTable):
            lacks = f"{str(cause).splitlines()[0]}; bin/dash remap puts mapped views back"
            raise InvalidData(tenant_ids[0] if tenant_ids else "", lacks) from error
        if not isinstance(cause, psycopg.errors.InsufficientPrivilege):
            raise
        # A right that is missing, or a policy that would keep rows from us: of this tenant's rows nobody knows anything.
        raise SourceUnavailable(str(cause).partition("\n")[0]) from error
    except (exc.DataError, psycopg.DataError) as error:
        cause = error.orig if isinstance(error, exc.DBAPIError) else error
        said = first_line(cause) if isinstance(cause, psycopg.Error) else str(cause).partition("\n")[0]
        raise InvalidData(tenant_ids[0] if tenant_ids else "", said) from error
    except (exc.NotSupportedError, psycopg.NotSupportedError) as error:
        cause = error.orig if isinstance(error, exc.DBAPIError) else error
        if isinstance(cause, psycopg.Error) and cause.diag.source_function == "RevalidateCachedQuery":
            raise SourceUnavailable("the tables have changed") from error
        raise
    except (exc.InternalError, psycopg.errors.IdleInTransactionSessionTimeout) as error:
        cause = error.orig if isinstance(error, exc.DBAPIError) else error
        if not isinstance(cause, psycopg.errors.IdleInTransactionSessionTimeout):
            raise
        # This process stood still in the middle of a transaction, and PostgreSQL has let its locks go.
        raise SourceUnavailable(type(cause).__name__) from error
    except (exc.OperationalError, exc.InterfaceError, exc.TimeoutError, psycopg.OperationalError) as error:
        cause = error.orig if isinstance(error, exc.DBAPIError) else error
        raise SourceUnavailable(type(cause).__name__) from error


def columns_have_changed(error: exc.DBAPIError) -> bool:
    """Whether a statement named a column that a relation has no more, or has by now beside the null put in its place."""
    return isinstance(error.orig, (psycopg.errors.UndefinedColumn, psycopg.errors.AmbiguousColumn))
