-- The peer: what `meterbeam run` writes over catalog.yaml and rates.csv, as SQL written by hand for
-- just these meters. duckdb_sql.py runs the stages in order, with the variables input, rates,
-- output, run_id, started and too_new set. README.md says what it leaves out of the contract.

-- stage: macros
-- The text of a JSON string; unescaped the long way only where there is something to unescape.
CREATE MACRO plain(j) AS CASE WHEN contains(j, '\') THEN j ->> '$' ELSE j[2:-2] END;
-- A JSON number, or a string that holds one. What is no plain integer was read through a double:
-- its digits are taken from the line.
CREATE MACRO amount_of(line, field, j) AS CASE
    WHEN starts_with(j, '"') THEN CASE
        WHEN regexp_full_match(j, '"-?(0|[1-9][0-9]*)([.][0-9]+)?([eE][+-]?[0-9]+)?"')
        THEN TRY_CAST(j[2:-2] AS DECIMAL(38, 18)) END
    WHEN contains(j, '.') OR contains(j, 'e') THEN TRY_CAST(
        regexp_extract(line, '"' || field || '"\s*:\s*(-?[0-9.eE+-]+)', 1) AS DECIMAL(38, 18))
    ELSE TRY_CAST(j AS DECIMAL(38, 18)) END;
CREATE MACRO is_scalar(j) AS j IS NULL OR NOT (starts_with(j, '{') OR starts_with(j, '['));
CREATE MACRO as_text(j) AS CASE
    WHEN j IS NULL THEN 'null' WHEN starts_with(j, '"') THEN j ELSE '"' || j || '"' END;
CREATE MACRO half_even(n, d) AS n // d
    + CASE WHEN 2 * (n % d) > d OR (2 * (n % d) = d AND (n // d) % 2 = 1) THEN 1 ELSE 0 END;

-- stage: reader text
-- Each line as text, then its fields from the text: a JSON null or an absent field is NULL.
CREATE TEMP VIEW parsed AS
SELECT line, CASE WHEN json_valid(line) THEN json_transform(line,
    '{"id":"JSON","event_type":"JSON","customer_id":"JSON","timestamp":"JSON",
      "properties":{"model":"JSON","token_type":"JSON","region":"JSON","tokens":"JSON",
        "method":"JSON","bytes":"JSON","response_time_ms":"JSON","ip":"JSON","gpu":"JSON",
        "seconds":"JSON"}}') END AS j
FROM read_csv(getvariable('input'), delim = '\x01', quote = '', escape = '', header = false,
    auto_detect = false, columns = {'line': 'VARCHAR'}, max_line_size = 2097152,
    store_rejects = true, rejects_limit = 0);

-- stage: reader json
-- The other design, for clean files: read_json makes the fields, and the text, which it does not
-- give, is read beside it and joined by line number.
CREATE TEMP TABLE lines AS
SELECT * FROM read_csv(getvariable('input'), delim = '\x01', quote = '', escape = '',
    header = false, auto_detect = false, columns = {'line': 'VARCHAR'}, max_line_size = 2097152,
    store_rejects = true, rejects_limit = 0);
CREATE TEMP TABLE typed AS
SELECT * FROM read_json(getvariable('input'), format = 'newline_delimited', columns = {
    'id': 'JSON', 'event_type': 'JSON', 'customer_id': 'JSON', 'timestamp': 'JSON',
    'properties': 'STRUCT(model JSON, token_type JSON, region JSON, tokens JSON, "method" JSON,
        bytes JSON, response_time_ms JSON, ip JSON, gpu JSON, seconds JSON)'});
CREATE TEMP VIEW parsed AS
SELECT line, struct_pack(id, event_type, customer_id, "timestamp", properties) AS j
FROM lines JOIN typed ON lines.rowid = typed.rowid;

-- stage: fields
-- One row a line, in the order of the file (rowid), with the reason that keeps it out, if any.
CREATE TEMP TABLE record AS
WITH named AS (
    SELECT line, coalesce(strlen(line), 0)::UINTEGER AS size, j IS NOT NULL AS read,
        j.id, j.event_type AS type_json, j.customer_id AS customer_json, j.timestamp AS stamp,
        j.properties AS p
    FROM parsed
),
typed AS (
    SELECT *, plain(type_json) AS event_type, plain(customer_json) AS customer_id,
        -- the names in the objects: a few different lists, looked at once each by `shapes`
        CASE WHEN read THEN hash(json_keys(line, ['$', '$.properties', '$.metadata'])) END AS shape,
        -- the usual spelling fast, any other by a pattern: the fast one alone takes 2026-1-15
        coalesce(
            CASE WHEN strlen(stamp) = 29 THEN try_strptime(stamp, '"%Y-%m-%dT%H:%M:%S.%fZ"') END,
            CASE WHEN regexp_full_match(stamp, '"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ]([01][0-9]|2[0-3])'
                || ':[0-9]{2}:[0-9]{2}([.][0-9]+)?([Zz]|[+-][0-9]{2}:[0-9]{2})"')
            THEN timezone('UTC', TRY_CAST(upper(regexp_replace(
                stamp[2:-2], '([.][0-9]{6})[0-9]+', '\1')) AS TIMESTAMPTZ)) END
        ) AS event_time
    FROM named
)
SELECT line, size, shape, event_type, customer_id, event_time, id,
    md5(CASE WHEN id IS NULL OR id = '""' THEN line ELSE customer_json || type_json || id END)
        AS event_key,
    p.model, p.token_type, p.region, p.method, p.gpu, p.ip,
    CASE event_type
        WHEN 'llm_tokens' THEN amount_of(line, 'tokens', p.tokens)
        WHEN 'api_call' THEN amount_of(line, 'bytes', p.bytes)
        WHEN 'gpu_seconds' THEN amount_of(line, 'seconds', p.seconds) END AS amount,
    amount_of(line, 'response_time_ms', p.response_time_ms) AS response_time,
    CASE
        WHEN NOT read AND (line IS NULL OR line = '' OR trim(line) = '') THEN 'blank'
        WHEN size > 1048576 THEN 'too_large'
        WHEN NOT read AND NOT json_valid(line) THEN 'not_json'
        WHEN NOT starts_with(line, '{') AND NOT starts_with(ltrim(line), '{') THEN 'not_object'
        WHEN type_json IS NULL OR customer_json IS NULL OR stamp IS NULL THEN 'missing_field'
        WHEN NOT (starts_with(type_json, '"') AND starts_with(customer_json, '"')
            AND starts_with(stamp, '"') AND (id IS NULL OR starts_with(id, '"'))
            AND length(event_type) BETWEEN 1 AND 256 AND length(customer_id) BETWEEN 1 AND 256
            AND (id IS NULL OR length(id) <= 258)) THEN 'wrong_type'
        WHEN event_time IS NULL THEN 'bad_timestamp'
        WHEN event_time > getvariable('too_new') THEN 'future_timestamp' END AS reason
FROM typed;

-- stage: shapes
CREATE TEMP TABLE shapes AS
WITH first_line AS (
    SELECT shape, min(rowid) AS pos FROM record WHERE shape IS NOT NULL GROUP BY shape
),
names AS (
    SELECT f.shape, json_keys(line, ['$', '$.properties', '$.metadata']) AS keys
    FROM first_line f JOIN record r ON r.rowid = f.pos
)
SELECT shape, len(list_filter(keys, lambda k: len(k) <> len(list_distinct(k)))) > 0 AS twice,
    len(keys[2]) = 0 OR len(keys[3]) = 0 AS maybe_no_object
FROM names;
UPDATE record SET reason = CASE WHEN twice THEN 'duplicate_field' ELSE 'wrong_type' END
FROM shapes
WHERE record.shape = shapes.shape AND (twice OR maybe_no_object)
    AND coalesce(reason, '') NOT IN ('blank', 'too_large', 'not_json', 'not_object')
    AND (twice OR (coalesce(reason, '') <> 'missing_field' AND (
        coalesce(json_type(line, '$.properties'), 'OBJECT') NOT IN ('OBJECT', 'NULL')
        OR coalesce(json_type(line, '$.metadata'), 'OBJECT') NOT IN ('OBJECT', 'NULL'))));

-- stage: deduplicate
-- Candidates by a 64-bit hash, then exactly by key; the first in the file wins.
CREATE TEMP TABLE loser AS
WITH hashes AS (
    SELECT hash(event_key) AS h FROM record WHERE reason IS NULL GROUP BY h HAVING count(*) > 1
),
candidate AS (
    SELECT rowid AS pos, event_key, event_type, hash(event_time, amount, response_time, model,
        token_type, region, method, gpu, ip) AS content
    FROM record WHERE reason IS NULL AND hash(event_key) IN (FROM hashes)
)
SELECT pos, event_type, content <> first_value(content) OVER w AS conflict
FROM candidate
WINDOW w AS (PARTITION BY event_key ORDER BY pos)
QUALIFY row_number() OVER w > 1;
CREATE TEMP VIEW accepted AS
SELECT *, rowid AS pos FROM record
WHERE reason IS NULL AND rowid NOT IN (SELECT pos FROM loser);

-- stage: offsets
CREATE TEMP TABLE place AS
SELECT sum(size + 1::BIGINT) OVER (ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)::BIGINT
    - size - 1 AS start, row_number() OVER () - 1 AS pos
FROM record;

-- stage: offsets after unread lines
-- Only where the reader left lines out (duckdb_sql.py lists them in `unread`): those after them move.
CREATE OR REPLACE TEMP TABLE place AS
WITH gap AS (
    SELECT start - sum(size) OVER (ORDER BY start) + size AS since,
        sum(size) OVER (ORDER BY start) AS shift
    FROM unread
),
moved AS (SELECT since, max(shift) AS shift FROM gap GROUP BY since)
SELECT start + coalesce(shift, 0)::BIGINT AS start, pos
FROM place ASOF LEFT JOIN moved ON place.start >= moved.since;

-- stage: aggregate
CREATE TEMP TABLE quantities AS
SELECT 'llm_tokens' AS meter, customer_id, model, token_type, region, NULL::JSON AS "method",
    NULL::JSON AS gpu,
    date_trunc('hour', event_time) AS window_start, sum(amount) AS quantity, count(*) AS event_count
FROM accepted
WHERE event_type = 'llm_tokens' AND amount IS NOT NULL
    AND is_scalar(model) AND is_scalar(token_type) AND is_scalar(region)
GROUP BY ALL;
INSERT INTO quantities BY NAME
SELECT 'api_calls' AS meter, customer_id, "method", region,
    date_trunc('hour', event_time) AS window_start,
    count(*)::DECIMAL(38, 18) AS quantity, count(*) AS event_count
FROM accepted
WHERE event_type = 'api_call' AND is_scalar("method") AND is_scalar(region)
GROUP BY ALL;
INSERT INTO quantities BY NAME
WITH hourly AS (
    SELECT customer_id, date_trunc('hour', event_time) AS window_start,
        sum(amount) AS bytes, count(amount) AS with_bytes,
        max(response_time) AS slowest, count(response_time) AS with_time
    FROM accepted WHERE event_type = 'api_call' GROUP BY ALL
)
SELECT 'api_bytes' AS meter, customer_id, window_start, bytes AS quantity,
    with_bytes AS event_count
FROM hourly WHERE with_bytes > 0
UNION ALL
SELECT 'api_slowest', customer_id, window_start, slowest, with_time
FROM hourly WHERE with_time > 0;
INSERT INTO quantities BY NAME
SELECT 'api_addresses' AS meter, customer_id, date_trunc('day', event_time) AS window_start,
    count(DISTINCT ip)::DECIMAL(38, 18) AS quantity, count(*) AS event_count
FROM accepted WHERE event_type = 'api_call' AND ip IS NOT NULL AND is_scalar(ip) GROUP BY ALL;
INSERT INTO quantities BY NAME
SELECT 'gpu_seconds' AS meter, customer_id, gpu, date_trunc('hour', event_time) AS window_start,
    sum(amount) AS quantity, count(*) AS event_count
FROM accepted
WHERE event_type = 'gpu_seconds' AND amount IS NOT NULL AND is_scalar(gpu)
GROUP BY ALL;

-- stage: price
CREATE TEMP TABLE rate AS
SELECT meter, label, effective_from::TIMESTAMP AS effective_from,
    effective_to::TIMESTAMP AS effective_to, unit_price::DECIMAL(38, 18) AS unit_price,
    coalesce(per, '1')::DECIMAL(38, 18) AS per, coalesce(currency, 'USD') AS currency,
    customer_id, to_json(model) AS model, to_json(token_type) AS token_type,
    to_json(region) AS region, to_json("method") AS "method", to_json(gpu) AS gpu,
    (model IS NOT NULL)::INT + (token_type IS NOT NULL)::INT + (region IS NOT NULL)::INT
        + ("method" IS NOT NULL)::INT + (gpu IS NOT NULL)::INT AS cells
FROM read_csv(getvariable('rates'), all_varchar = true, header = true);
-- one look-up per different (named customer, dimensions, window), then an equal join
CREATE TEMP TABLE priced AS
WITH keyed AS (
    SELECT *, CASE WHEN customer_id IN (SELECT customer_id FROM rate WHERE customer_id IS NOT NULL)
        THEN customer_id END AS named
    FROM quantities
),
combination AS (
    SELECT DISTINCT meter, named, model, token_type, region, "method", gpu, window_start FROM keyed
),
best AS (
    SELECT c.*, arg_max(struct_pack(label, effective_from, unit_price, per, currency),
        row(r.customer_id IS NOT NULL, cells, effective_from)) AS rate
    FROM combination c JOIN rate r ON r.meter = c.meter
        AND effective_from <= window_start
        AND (effective_to IS NULL OR window_start < effective_to)
        AND (r.customer_id IS NULL OR r.customer_id = c.named)
        AND (r.model IS NULL OR r.model = c.model)
        AND (r.token_type IS NULL OR r.token_type = c.token_type)
        AND (r.region IS NULL OR r.region = c.region)
        AND (r."method" IS NULL OR r."method" = c."method")
        AND (r.gpu IS NULL OR r.gpu = c.gpu)
    GROUP BY ALL
),
-- prices of up to 12 decimals times quantities of up to 6 make whole numbers of 10^-18
scaled AS (
    SELECT *, (rate.unit_price * 1000000000000)::HUGEINT AS price, rate.per::HUGEINT AS divisor
    FROM best
)
SELECT k.* EXCLUDE (named), b.rate,
    half_even((k.quantity * 1000000)::HUGEINT * b.price, b.divisor)::DECIMAL(38, 0)
        * 0.000000000000000001::DECIMAL(18, 18) AS cost
FROM keyed k LEFT JOIN scaled b ON k.meter = b.meter AND k.window_start = b.window_start
    AND k.named IS NOT DISTINCT FROM b.named AND k.model IS NOT DISTINCT FROM b.model
    AND k.token_type IS NOT DISTINCT FROM b.token_type
    AND k.region IS NOT DISTINCT FROM b.region AND k."method" IS NOT DISTINCT FROM b."method"
    AND k.gpu IS NOT DISTINCT FROM b.gpu;

-- stage: write usage
COPY (
    SELECT getvariable('run_id') AS run_id, meter, customer_id,
        CASE meter
            WHEN 'llm_tokens' THEN '{"model":' || as_text(model) || ',"region":' || as_text(region)
                || ',"token_type":' || as_text(token_type) || '}'
            WHEN 'api_calls' THEN '{"method":' || as_text("method") || ',"region":'
                || as_text(region) || '}'
            WHEN 'gpu_seconds' THEN '{"gpu":' || as_text(gpu) || '}' ELSE '{}' END AS dimensions,
        window_start::TIMESTAMPTZ AS window_start,
        (window_start + span)::TIMESTAMPTZ AS window_end,
        (window_start + span + INTERVAL 1 DAY)::TIMESTAMPTZ AS closes_at,
        quantity, event_count, unit, rate.label AS rate_label,
        rate.effective_from::TIMESTAMPTZ AS rate_effective_from, rate.unit_price, rate.per,
        rate.currency, cost, 'batch' AS pane, getvariable('started')::TIMESTAMPTZ AS written_at
    FROM priced JOIN (VALUES
        ('llm_tokens', 'token', INTERVAL 1 HOUR), ('api_calls', 'call', INTERVAL 1 HOUR),
        ('api_bytes', 'byte', INTERVAL 1 HOUR), ('api_addresses', 'address', INTERVAL 1 DAY),
        ('api_slowest', 'millisecond', INTERVAL 1 HOUR),
        ('gpu_seconds', 'second', INTERVAL 1 HOUR)) AS m(meter, unit, span) USING (meter)
) TO (getvariable('output') || '/usage')
(FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1, PER_THREAD_OUTPUT true);

-- stage: write events
COPY (
    SELECT getvariable('run_id') AS run_id, 'native' AS source,
        getvariable('input') || ':' || start AS origin, event_key, nullif(plain(id), '') AS event_id,
        event_type, customer_id, make_timestamptz(epoch_us(event_time)) AS event_time,
        getvariable('started')::TIMESTAMPTZ AS received_at, line AS payload
    FROM record JOIN place ON record.rowid = place.pos WHERE reason IS NULL
) TO (getvariable('output') || '/events')
(FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1, DICTIONARY_SIZE_LIMIT 1000,
 PER_THREAD_OUTPUT true);

-- stage: write rejects
CREATE TEMP TABLE rejected AS
WITH doubtful AS (
    SELECT * FROM accepted
    WHERE amount IS NULL
        OR event_type = 'api_call' AND (response_time IS NULL OR ip IS NULL OR NOT is_scalar(ip))
        OR NOT is_scalar(model) OR NOT is_scalar(token_type) OR NOT is_scalar(region)
        OR NOT is_scalar("method") OR NOT is_scalar(gpu)
),
judged AS (
    SELECT m.meter, d.*, CASE m.meter
            WHEN 'llm_tokens' THEN is_scalar(model) AND is_scalar(token_type) AND is_scalar(region)
            WHEN 'api_calls' THEN is_scalar("method") AND is_scalar(region)
            WHEN 'gpu_seconds' THEN is_scalar(gpu) ELSE true END AS dimensions_hold,
        CASE WHEN m.meter = 'api_calls' THEN true
            WHEN m.meter = 'api_addresses' THEN ip IS NOT NULL AND is_scalar(ip)
            WHEN m.meter = 'api_slowest' THEN response_time IS NOT NULL
            ELSE amount IS NOT NULL END AS value_holds,
        coalesce(json_type(line, '$.properties.' || m.field), 'NULL') AS kind
    FROM doubtful d JOIN (VALUES
        ('llm_tokens', 'llm_tokens', 'tokens'), ('api_call', 'api_calls', NULL),
        ('api_call', 'api_bytes', 'bytes'), ('api_call', 'api_addresses', 'ip'),
        ('api_call', 'api_slowest', 'response_time_ms'), ('gpu_seconds', 'gpu_seconds', 'seconds')
    ) AS m(event_type, meter, field) ON d.event_type = m.event_type
)
SELECT pos, meter, NULL::VARCHAR AS payload, event_key, customer_id, event_time,
    CASE WHEN NOT dimensions_hold THEN 'invalid_dimension' WHEN kind = 'NULL' THEN 'missing_value'
        ELSE 'invalid_value' END AS reason
FROM judged WHERE NOT dimensions_hold OR NOT value_holds
UNION ALL
SELECT rowid, NULL, left(line, 65536), NULL, NULL, NULL, reason FROM record WHERE reason <> 'blank'
UNION ALL
SELECT pos, NULL, NULL, event_key, customer_id, event_time, 'conflict'
FROM loser JOIN record ON record.rowid = loser.pos WHERE conflict;
COPY (
    SELECT getvariable('run_id') AS run_id, getvariable('input') || ':' || start AS origin,
        reason, NULL::VARCHAR AS detail, meter, event_key, customer_id,
        event_time::TIMESTAMPTZ AS event_time, getvariable('started')::TIMESTAMPTZ AS received_at,
        payload
    FROM rejected JOIN place ON rejected.pos = place.pos
    UNION ALL
    SELECT getvariable('run_id'), getvariable('input') || ':' || start, reason, NULL, NULL, NULL,
        NULL, NULL, getvariable('started')::TIMESTAMPTZ, payload
    FROM unread
) TO (getvariable('output') || '/rejects')
(FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1, PER_THREAD_OUTPUT true);

-- stage: write ledger
COPY (
    WITH outcomes AS (
        SELECT NULL AS meter, 'received' AS outcome, NULL AS reason, count(*) AS events
        FROM record WHERE reason IS DISTINCT FROM 'blank'
        UNION ALL SELECT NULL, 'received', NULL, count(*) FROM unread
        UNION ALL SELECT NULL, 'rejected', reason, count(*) FROM unread GROUP BY reason
        UNION ALL SELECT NULL, 'accepted', NULL, count(*) FROM accepted
        UNION ALL SELECT NULL, 'duplicate', NULL, count(*) FROM loser WHERE NOT conflict
        UNION ALL SELECT meter, 'rejected', reason, count(*) FROM rejected GROUP BY ALL
        UNION ALL SELECT meter, 'metered', NULL, sum(event_count) FROM quantities GROUP BY ALL
        UNION ALL SELECT meter, 'matched', NULL, sum(event_count) FROM quantities GROUP BY ALL
        UNION ALL SELECT meter, 'matched', NULL, count(*) FROM rejected
            WHERE meter IS NOT NULL GROUP BY ALL
    )
    SELECT getvariable('run_id') AS run_id,
        date_trunc('hour', getvariable('started'))::TIMESTAMPTZ AS period_start,
        meter, outcome, reason, sum(events)::BIGINT AS events
    FROM outcomes GROUP BY ALL HAVING sum(events) > 0
) TO (getvariable('output') || '/ledger')
(FORMAT parquet, COMPRESSION zstd, PER_THREAD_OUTPUT true);
