-- part ÷ base in percent, both as x and y where they are below 10^15
fitting AS (
  SELECT
    *,
    CASE WHEN ABS(part) < 1000000000000000 AND ABS(base) < 1000000000000000 THEN part END AS x,
    CASE WHEN ABS(part) < 1000000000000000 AND ABS(base) < 1000000000000000 THEN base END AS y
  FROM {of}
),
-- an amount as two INT64, whole units and the rest in units of the 18th decimal: division of
-- decimals is not the same in all engines, division of integers is
halves AS (
  SELECT
    *,
    CAST(TRUNC(x) AS INT64) AS x_units,
    CAST(TRUNC(y) AS INT64) AS y_units,
    {atoms x} AS x_atoms,
    {atoms y} AS y_atoms
  FROM fitting
),
-- how much of the rest is kept: 12 to 15 digits in all, so that a thousand times it is an INT64
scales AS (
  SELECT
    *,
    CASE
      WHEN GREATEST(ABS(x_units), ABS(y_units)) >= 1000000000000 THEN 1
      WHEN GREATEST(ABS(x_units), ABS(y_units)) >= 1000000000 THEN 1000
      WHEN GREATEST(ABS(x_units), ABS(y_units)) >= 1000000 THEN 1000000
      WHEN GREATEST(ABS(x_units), ABS(y_units)) >= 1000 THEN 1000000000
      WHEN GREATEST(ABS(x_units), ABS(y_units)) >= 1 THEN 1000000000000
      WHEN GREATEST(ABS(x_atoms), ABS(y_atoms)) >= 1000000000000000 THEN 1000000000000000
      ELSE 1000000000000000000
    END AS scale
  FROM halves
),
scaled AS (
  SELECT
    *,
    x_units * scale + DIV(x_atoms, (DIV(1000000000000000000, scale))) AS x_scaled,
    NULLIF(y_units * scale + DIV(y_atoms, (DIV(1000000000000000000, scale))), 0) AS y_scaled
  FROM scales
),
divided AS (
  SELECT
    *,
    DIV(x_scaled, y_scaled) AS times,
    DIV((MOD(x_scaled, y_scaled) * 1000), y_scaled) AS thousandths,
    MOD(MOD(x_scaled, y_scaled) * 1000, y_scaled) AS remainder
  FROM scaled
),
percents AS (
  SELECT
    *,
    SAFE_CAST(
      SAFE_CAST(times AS BIGNUMERIC(16, 0)) * SAFE_CAST(100 AS BIGNUMERIC(3, 0))
      + SAFE_CAST(thousandths * 1000 + DIV((remainder * 1000), y_scaled) AS BIGNUMERIC(7, 0))
        * SAFE_CAST('0.0001' AS BIGNUMERIC(4, 4))
      AS BIGNUMERIC(38, 18)
    ) AS percent
  FROM divided
)
