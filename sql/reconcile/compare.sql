-- The comparison of tweet files with rows: chalicelib/reconcile/compare.py.

-- name: known
-- What former runs left: one row with it, for each hour worth knowing; one in all where there is none. Hours are those
-- that are due, the recent ones, and the last one of each day of which all hours are known.
SELECT
    standing.last_sweep,
    standing.begun,
    standing.findings,
    standing.new_rows,
    known_hour.hour,
    known_hour.settled_checks,
    known_hour.files,
    known_hour.checked_at,
    known_hour.due,
    known_hour.ends_day
FROM (
    SELECT
        MAX(CASE WHEN swept AND finished_at IS NOT NULL THEN started_at END) AS last_sweep,
        COUNT(CASE WHEN reconciliation_id = :id THEN 1 END) AS begun,
        (
            SELECT COUNT(*) FROM disaster.finding
            WHERE closed_at IS NULL
        ) AS findings,
        (
            SELECT COUNT(*) FROM disaster.disaster_tweets
            WHERE
                arrived_at >= CAST(:recent AS TIMESTAMP)
                AND loaded_at > (
                    SELECT COALESCE(MAX(repeats_until), CAST('1970-01-01' AS TIMESTAMP)) FROM disaster.reconciliation
                )
        ) AS new_rows
    FROM disaster.reconciliation
) AS standing
LEFT JOIN (
    SELECT
        hour,
        settled_checks,
        files,
        checked_at,
        next_check_at <= CAST(:now AS TIMESTAMP) AS due,
        ROW_NUMBER() OVER (PARTITION BY CAST(hour AS DATE) ORDER BY hour) = 24 AS ends_day
    FROM disaster.tweet_hour
) AS known_hour ON known_hour.due OR known_hour.hour >= CAST(:recent AS TIMESTAMP) OR known_hour.ends_day;

-- name: listed_hour
CREATE TEMP TABLE listed_hour (hour TIMESTAMP, hour_key VARCHAR(32)) DISTSTYLE ALL;

-- name: listed_file
CREATE TEMP TABLE listed_file (
    s3_key VARCHAR(256), hour_key VARCHAR(32), expected_rows INTEGER, bytes BIGINT, written_at TIMESTAMP
) DISTKEY (s3_key);

-- name: found_file
-- The rows of each file, added up where they lie. COUNT(DISTINCT s3_line) would send every row, by file and line, from
-- where it lies to where its file's are counted. Count, least, greatest, sum and sum of squares tell the same, but for
-- one case: three or more lines lost and as many doubled, with the same sum and the same sum of squares (such sets need
-- three members at least: Prouhet, Tarry and Escott). Where these differ, distinct lines are counted.
CREATE TEMP TABLE found_file DISTKEY (s3_key) AS
SELECT
    s3_key,
    MAX(SUBSTRING(s3_key, 1, 27)) AS hour_key,
    COUNT(s3_line) AS found_rows,
    MIN(s3_line) AS first_line,
    MAX(s3_line) AS last_line,
    SUM(CAST(s3_line AS BIGINT)) AS sum_of_lines,
    SUM(CAST(s3_line AS BIGINT) * s3_line) AS sum_of_squares,
    SUM(DATEDIFF(SECOND, arrived_at, loaded_at)) AS lag_seconds,
    MAX(DATEDIFF(SECOND, arrived_at, loaded_at)) AS longest_lag_seconds
FROM (
-- for each window
    SELECT
        s3_key,
        s3_line,
        arrived_at,
        loaded_at
    FROM disaster.disaster_tweets
    WHERE
        arrived_at >= CAST(:since AS TIMESTAMP) AND arrived_at < CAST(:until AS TIMESTAMP)
        AND SUBSTRING(s3_key, 1, 27) IN (
            SELECT hour_key FROM listed_hour
            WHERE hour >= CAST(:since AS TIMESTAMP) AND hour < CAST(:stop AS TIMESTAMP)
        )
-- end of window
) AS looked_at
GROUP BY s3_key;

-- name: compared_file
-- Each file's state. Distinct lines are counted only of files whose sums are not those of all lines, and of files that
-- are gone. Up to 1,000,000 lines the sums fit a BIGINT; an answer of the transform has 6 MB, so a file has fewer.
CREATE TEMP TABLE compared_file DISTKEY (s3_key) AS
SELECT
    pair.s3_key,
    listed_hour.hour,
    CAST(pair.expected_rows AS BIGINT) AS expected_rows,
    pair.bytes,
    pair.written_at,
    CAST(pair.found_rows AS BIGINT) AS found_rows,
    CAST(pair.found_lines AS BIGINT) AS found_lines,
    CAST(pair.lag_seconds AS BIGINT) AS lag_seconds,
    CAST(pair.longest_lag_seconds AS BIGINT) AS longest_lag_seconds,
    CAST(CASE
        WHEN pair.written_at IS NULL THEN 'orphaned'
        WHEN pair.whole THEN 'loaded'
        WHEN pair.written_at > CAST(:cutoff AS TIMESTAMP) THEN 'waiting'
        WHEN tweet_file.state = 'unreadable' AND tweet_file.written_at = pair.written_at AND :again = 'false'
            THEN 'unreadable'
        WHEN pair.found_rows = 0 AND tweet_file.s3_key IS NULL AND :loads = 'true' THEN 'new'
        WHEN pair.found_rows = 0 THEN 'missing'
        WHEN pair.found_lines >= pair.expected_rows AND pair.first_line = 1 AND pair.last_line = pair.expected_rows
            THEN 'excess'
        ELSE 'partial'
    END AS VARCHAR(16)) AS state,
    tweet_file.state AS known_state
FROM (
    SELECT
        COALESCE(listed_file.s3_key, found_file.s3_key) AS s3_key,
        COALESCE(listed_file.hour_key, found_file.hour_key) AS hour_key,
        COALESCE(listed_file.expected_rows, 0) AS expected_rows,
        listed_file.bytes,
        listed_file.written_at,
        COALESCE(found_file.found_rows, 0) AS found_rows,
        COALESCE(distinct_line.found_lines, found_file.found_rows, 0) AS found_lines,
        found_file.first_line,
        found_file.last_line,
        COALESCE(distinct_line.found_lines, found_file.found_rows) = listed_file.expected_rows
        AND found_file.found_rows = listed_file.expected_rows
        AND found_file.first_line = 1 AND found_file.last_line = listed_file.expected_rows AS whole,
        found_file.lag_seconds,
        found_file.longest_lag_seconds
    FROM listed_file
    FULL OUTER JOIN found_file ON listed_file.s3_key = found_file.s3_key
    LEFT JOIN (
        SELECT
            s3_key,
            COUNT(DISTINCT s3_line) AS found_lines
        FROM (
            -- for each window
            SELECT
                s3_key,
                s3_line
            FROM disaster.disaster_tweets
            WHERE
                arrived_at >= CAST(:since AS TIMESTAMP) AND arrived_at < CAST(:until AS TIMESTAMP)
                AND SUBSTRING(s3_key, 1, 27) IN (
                    SELECT hour_key FROM listed_hour
                    WHERE hour >= CAST(:since AS TIMESTAMP) AND hour < CAST(:stop AS TIMESTAMP)
                )
        -- end of window
        ) AS looked_at
        WHERE
            s3_key IN (
                SELECT summed.s3_key
                FROM found_file AS summed
                LEFT JOIN listed_file AS listed ON summed.s3_key = listed.s3_key
                WHERE
                    listed.s3_key IS NULL
                    OR NOT (
                        summed.found_rows = listed.expected_rows
                        AND listed.expected_rows <= 1000000
                        AND summed.first_line = 1
                        AND summed.last_line = listed.expected_rows
                        AND summed.sum_of_lines
                        = CAST(LEAST(listed.expected_rows, 1000000) AS BIGINT)
                        * (CAST(LEAST(listed.expected_rows, 1000000) AS BIGINT) + 1)
                        / 2
                        AND summed.sum_of_squares
                        = CAST(LEAST(listed.expected_rows, 1000000) AS BIGINT)
                        * (CAST(LEAST(listed.expected_rows, 1000000) AS BIGINT) + 1)
                        * (2 * CAST(LEAST(listed.expected_rows, 1000000) AS BIGINT) + 1)
                        / 6
                    )
            )
        GROUP BY s3_key
    ) AS distinct_line ON found_file.s3_key = distinct_line.s3_key
) AS pair
INNER JOIN listed_hour ON pair.hour_key = listed_hour.hour_key
LEFT JOIN disaster.tweet_file ON pair.s3_key = tweet_file.s3_key;

-- name: files_seen_again
UPDATE disaster.tweet_file
SET
    state = compared_file.state,
    bytes = COALESCE(compared_file.bytes, tweet_file.bytes),
    written_at = COALESCE(compared_file.written_at, tweet_file.written_at),
    loaded_at = CASE WHEN compared_file.state = 'loaded' THEN CAST(:now AS TIMESTAMP) END,
    changed_at = CAST(:now AS TIMESTAMP)
FROM compared_file
WHERE
    tweet_file.s3_key = compared_file.s3_key
    AND (
        compared_file.state <> compared_file.known_state
        OR COALESCE(compared_file.written_at, tweet_file.written_at) <> tweet_file.written_at
    );

-- name: files_seen_first
INSERT INTO disaster.tweet_file
(s3_key, hour, expected_rows, bytes, written_at, first_seen_at, loaded_at, repairs, state, changed_at)
SELECT
    s3_key,
    hour,
    expected_rows,
    bytes,
    written_at,
    CAST(:now AS TIMESTAMP),
    CASE WHEN state = 'loaded' THEN CAST(:now AS TIMESTAMP) END,
    0,
    state,
    CAST(:now AS TIMESTAMP)
FROM compared_file
WHERE known_state IS NULL AND state <> 'orphaned';

-- name: judged_hour
-- Only a check that was due counts: looks by hand, one after the other, say nothing about what comes later. An hour
-- that is found settled before it was due keeps the check that it has. What can't be repaired needn't be looked at
-- every time, either: its hour counts as settled.
CREATE TEMP TABLE judged_hour DISTSTYLE ALL AS
SELECT
    hour,
    hour_key,
    files,
    tweets,
    loaded,
    waiting,
    waiting_files,
    troubled_files,
    CAST(CASE WHEN found_rows > 0 THEN lag_seconds / found_rows END AS BIGINT) AS lag_seconds,
    longest_lag_seconds,
    CAST(CASE
        WHEN troubled_files > 0 THEN 'troubled'
        WHEN waiting_files > 0 OR hour > CAST(:closed AS TIMESTAMP) THEN 'open'
        ELSE 'settled'
    END AS VARCHAR(16)) AS state,
    CASE
        WHEN waiting_files + mendable_files > 0 OR hour > CAST(:closed AS TIMESTAMP) THEN 0
        WHEN next_check_at > CAST(:now AS TIMESTAMP) THEN settled_checks
        ELSE settled_checks + 1
    END AS settled_checks,
    CASE
        WHEN
            waiting_files + mendable_files = 0 AND hour <= CAST(:closed AS TIMESTAMP)
            AND next_check_at > CAST(:now AS TIMESTAMP) THEN next_check_at
    END AS kept_check_at
FROM (
    SELECT
        listed_hour.hour,
        listed_hour.hour_key,
        COALESCE(MAX(tweet_hour.settled_checks), 0) AS settled_checks,
        MAX(tweet_hour.next_check_at) AS next_check_at,
        COUNT(compared_file.written_at) AS files,
        CAST(COALESCE(SUM(compared_file.expected_rows), 0) AS BIGINT) AS tweets,
        CAST(COALESCE(SUM(LEAST(compared_file.found_lines, compared_file.expected_rows)), 0) AS BIGINT) AS loaded,
        CAST(COALESCE(SUM(
            CASE
                WHEN compared_file.state = 'waiting'
                    THEN compared_file.expected_rows - LEAST(compared_file.found_lines, compared_file.expected_rows)
            END
        ), 0) AS BIGINT) AS waiting,
        COUNT(CASE WHEN compared_file.state = 'waiting' THEN 1 END) AS waiting_files,
        COUNT(CASE WHEN compared_file.state IN ('new', 'missing', 'partial', 'excess') THEN 1 END) AS mendable_files,
        COUNT(CASE WHEN compared_file.state NOT IN ('loaded', 'waiting', 'new') THEN 1 END) AS troubled_files,
        SUM(compared_file.found_rows) AS found_rows,
        SUM(compared_file.lag_seconds) AS lag_seconds,
        MAX(compared_file.longest_lag_seconds) AS longest_lag_seconds
    FROM listed_hour
    LEFT JOIN compared_file ON listed_hour.hour = compared_file.hour
    LEFT JOIN disaster.tweet_hour ON listed_hour.hour = tweet_hour.hour
    GROUP BY listed_hour.hour, listed_hour.hour_key
) AS counted;

-- name: hours_out
DELETE FROM disaster.tweet_hour USING judged_hour
WHERE tweet_hour.hour = judged_hour.hour;

-- name: hours_in
INSERT INTO disaster.tweet_hour
(
    hour, hour_key, files, tweets, loaded, waiting, waiting_files, troubled_files, lag_seconds, longest_lag_seconds,
    state, settled_checks, checked_at, next_check_at
)
SELECT
    hour,
    hour_key,
    files,
    tweets,
    loaded,
    waiting,
    waiting_files,
    troubled_files,
    lag_seconds,
    longest_lag_seconds,
    state,
    settled_checks,
    CAST(:now AS TIMESTAMP),
    COALESCE(
        kept_check_at,
        CASE settled_checks
            WHEN 0 THEN CAST(:now AS TIMESTAMP)
            WHEN 1 THEN CAST(:next_1 AS TIMESTAMP) WHEN 2 THEN CAST(:next_2 AS TIMESTAMP) WHEN
                3
                THEN CAST(:next_3 AS TIMESTAMP)
            WHEN 4 THEN CAST(:next_4 AS TIMESTAMP) WHEN 5 THEN CAST(:next_5 AS TIMESTAMP) WHEN
                6
                THEN CAST(:next_6 AS TIMESTAMP)
            WHEN 7 THEN CAST(:next_7 AS TIMESTAMP)
            ELSE CAST(:next_8 AS TIMESTAMP)
        END
    )
FROM judged_hour;

-- name: former_findings
-- A run that Lambda starts a second time begins anew. Where a transaction of the run is itself repeated, because its
-- end was lost, the run and its findings are there: what adds them looks first.
DELETE FROM disaster.reconciliation_finding
WHERE reconciliation_id = :id;

-- name: former_run
DELETE FROM disaster.reconciliation
WHERE reconciliation_id = :id;

-- name: run
INSERT INTO disaster.reconciliation
(reconciliation_id, started_at, repair, grace_seconds, swept, hours)
SELECT
    CAST(:id AS VARCHAR(32)),
    CAST(:now AS TIMESTAMP),
    :repair = 'true',
    CAST(:grace AS INTEGER),
    :sweep = 'true',
    looked_at.hours
FROM (SELECT COUNT(*) AS hours FROM listed_hour) AS looked_at
WHERE NOT EXISTS (
    SELECT 1 FROM disaster.reconciliation
    WHERE reconciliation_id = :id
);

-- name: findings
INSERT INTO disaster.reconciliation_finding
(reconciliation_id, found_at, s3_key, hour, state, expected_rows, found_rows, found_lines, bytes, action)
SELECT
    CAST(:id AS VARCHAR(32)),
    CAST(:now AS TIMESTAMP),
    s3_key,
    hour,
    state,
    expected_rows,
    found_rows,
    found_lines,
    bytes,
    CASE WHEN state IN ('new', 'missing', 'partial', 'excess') AND :repair = 'true' THEN 'to_repair' ELSE 'none' END
FROM compared_file
WHERE
    state NOT IN ('loaded', 'waiting')
    AND s3_key NOT IN (
        SELECT s3_key FROM disaster.reconciliation_finding
        WHERE reconciliation_id = :id
    );

-- name: sweep
-- Rows of hours that nobody lists: their day has no file, or they name no file at all. They are told where they lie,
-- for each node has all hours; so lines are counted of these rows alone.
INSERT INTO disaster.reconciliation_finding
(reconciliation_id, found_at, s3_key, state, expected_rows, found_rows, found_lines, action)
SELECT
    CAST(:id AS VARCHAR(32)),
    CAST(:now AS TIMESTAMP),
    stray.s3_key,
    'orphaned',
    0,
    stray.found_rows,
    stray.found_lines,
    'none'
FROM (
    SELECT
        disaster_tweets.s3_key,
        COUNT(*) AS found_rows,
        COUNT(DISTINCT disaster_tweets.s3_line) AS found_lines
    FROM disaster.disaster_tweets
    LEFT JOIN disaster.tweet_hour ON tweet_hour.hour_key = SUBSTRING(disaster_tweets.s3_key, 1, 27)
    WHERE tweet_hour.hour_key IS NULL
    GROUP BY disaster_tweets.s3_key
) AS stray
WHERE stray.s3_key NOT IN (
    SELECT s3_key FROM disaster.reconciliation_finding
    WHERE reconciliation_id = :id
);

-- name: totals
SELECT
    state,
    COUNT(*) AS files,
    SUM(expected_rows) AS tweets,
    SUM(LEAST(found_lines, expected_rows)) AS loaded,
    SUM(found_rows) - SUM(found_lines) AS doubled
FROM compared_file
GROUP BY state
ORDER BY state;

-- name: orphans
SELECT s3_key
FROM disaster.reconciliation_finding
WHERE reconciliation_id = :id AND state = 'orphaned'
ORDER BY s3_key DESC
LIMIT 1000;

-- name: late_file
CREATE TEMP TABLE late_file (s3_key VARCHAR(256), hour_key VARCHAR(32)) DISTSTYLE ALL;

-- name: no_findings
DELETE FROM disaster.reconciliation_finding
USING late_file
WHERE reconciliation_finding.s3_key = late_file.s3_key AND reconciliation_finding.reconciliation_id = :id;

-- name: hours_open
UPDATE disaster.tweet_hour
SET
    troubled_files = left_over.files,
    state = CASE WHEN left_over.files = 0 THEN 'open' ELSE tweet_hour.state END,
    settled_checks = 0,
    next_check_at = CAST(:now AS TIMESTAMP)
FROM (
    SELECT
        late.hour_key,
        COUNT(finding.s3_key) AS files
    FROM (SELECT DISTINCT hour_key FROM late_file) AS late
    INNER JOIN disaster.tweet_hour AS known ON late.hour_key = known.hour_key
    LEFT JOIN disaster.reconciliation_finding AS finding
        ON known.hour = finding.hour AND finding.reconciliation_id = :id
    GROUP BY late.hour_key
) AS left_over
WHERE tweet_hour.hour_key = left_over.hour_key;
