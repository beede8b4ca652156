"""Amounts that a host keeps as whole minor units, as amounts."""

from alembic import op

from shared.currency import EXPONENTS

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_FACTORS = {0: "1", 2: "0.01", 3: "0.001", 4: "0.0001"}


def _by_currency() -> str:
    cases = []
    for places in sorted({*EXPONENTS.values()} - {2}):
        codes = ", ".join(f"'{code}'" for code, own in sorted(EXPONENTS.items()) if own == places)
        cases.append(f"WHEN currency IN ({codes}) THEN {_FACTORS[places]}")
    return f"CASE {' '.join(cases)} ELSE {_FACTORS[2]} END"


_BY_PLACES = f"CASE places {' '.join(f'WHEN {places} THEN {factor}' for places, factor in _FACTORS.items())} END"

# A currency is text here, so that char(3), varchar and text columns are taken alike. With RETURN the operators are found now,
# not in the search path of whoever writes into a table that has an index over the function.
FUNCTIONS = f"""
CREATE FUNCTION dashboard.from_minor(amount pg_catalog.int8, currency pg_catalog.text) RETURNS pg_catalog.numeric
LANGUAGE sql IMMUTABLE PARALLEL SAFE RETURN amount * {_by_currency()};
COMMENT ON FUNCTION dashboard.from_minor(pg_catalog.int8, pg_catalog.text) IS
    'An amount in minor units, by the decimals of ISO 4217 (2 for a code not listed): 88000 JPY are 88000, USD 880.00.';

CREATE FUNCTION dashboard.from_minor(amount pg_catalog.int8, currency pg_catalog.text, places pg_catalog.int4)
RETURNS pg_catalog.numeric
LANGUAGE sql IMMUTABLE PARALLEL SAFE RETURN amount * {_BY_PLACES};
COMMENT ON FUNCTION dashboard.from_minor(pg_catalog.int8, pg_catalog.text, pg_catalog.int4) IS
    'An amount of a host that keeps so many decimals (0, 2, 3 or 4, else null) whatever the currency.';
"""


def upgrade() -> None:
    op.execute(FUNCTIONS)


def downgrade() -> None:
    op.execute("DROP FUNCTION dashboard.from_minor(bigint, text)")
    op.execute("DROP FUNCTION dashboard.from_minor(bigint, text, integer)")
