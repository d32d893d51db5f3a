-- A repair, as one transaction: a file's rows go, COPY brings them back, and it is written down.

-- name: to_repair
-- In the order in which they are to be loaded, as many as PAGE in repair.py says; what `urgency` means is there, too.
SELECT
    s3_key,
    expected_rows,
    bytes,
    written_at,
    urgency,
    place
FROM (
    SELECT
        s3_key,
        expected_rows,
        bytes,
        written_at,
        urgency,
        CAST(urgency AS VARCHAR(1)) || LPAD(
            CAST(CASE WHEN urgency < 2 THEN written ELSE 9999999999 - hour END AS VARCHAR(10)), 10, '0'
        ) || s3_key AS place
    FROM (
        SELECT
            found.s3_key,
            found.expected_rows,
            found.bytes,
            tweet_file.written_at,
            CASE
                WHEN refused.s3_key IS NOT NULL THEN 3
                WHEN tweet_file.written_at >= CAST(:surge AS TIMESTAMP) THEN 0
                WHEN tweet_file.written_at >= CAST(:in_time AS TIMESTAMP) THEN 1
                ELSE 2
            END AS urgency,
            DATEDIFF(SECOND, CAST('1970-01-01' AS TIMESTAMP), tweet_file.written_at) AS written,
            DATEDIFF(SECOND, CAST('1970-01-01' AS TIMESTAMP), tweet_file.hour) AS hour
        FROM disaster.reconciliation_finding AS found
        INNER JOIN disaster.tweet_file ON found.s3_key = tweet_file.s3_key
        LEFT JOIN (
            SELECT s3_key FROM disaster.finding
            WHERE kind = 'refused' AND closed_at IS NULL
        ) AS refused
            ON found.s3_key = refused.s3_key
        WHERE found.reconciliation_id = :id AND found.action = 'to_repair'
    ) AS damaged
) AS placed
WHERE place > :behind
ORDER BY place
LIMIT 5000;

-- name: known_good
SELECT
    s3_key,
    expected_rows,
    bytes,
    written_at
FROM disaster.tweet_file
WHERE state = 'loaded'
ORDER BY loaded_at DESC, s3_key DESC
LIMIT 3;

-- name: repair_file
CREATE TEMP TABLE repair_file (s3_key VARCHAR(256), expected_rows BIGINT) DISTSTYLE ALL;

-- name: claim
UPDATE disaster.tweet_file
SET repairs = tweet_file.repairs + 1, changed_at = CAST(:now AS TIMESTAMP)
FROM repair_file
WHERE tweet_file.s3_key = repair_file.s3_key;

-- name: delete
DELETE FROM disaster.disaster_tweets
USING repair_file
WHERE
    disaster_tweets.s3_key = repair_file.s3_key
    AND arrived_at >= CAST(:since AS TIMESTAMP)
    AND arrived_at < CAST(:until AS TIMESTAMP);

-- name: repair_result
-- Whether a file's rows are its lines, each once, told from sums: see found_file in compare.sql.
CREATE TEMP TABLE repair_result DISTSTYLE ALL AS
SELECT
    s3_key,
    found_rows,
    found_rows AS found_lines,
    COALESCE(
        (
            found_rows = expected_rows
            AND expected_rows <= 1000000
            AND first_line = 1
            AND last_line = expected_rows
            AND sum_of_lines
            = CAST(LEAST(expected_rows, 1000000) AS BIGINT) * (CAST(LEAST(expected_rows, 1000000) AS BIGINT) + 1) / 2
            AND sum_of_squares
            = CAST(LEAST(expected_rows, 1000000) AS BIGINT)
            * (CAST(LEAST(expected_rows, 1000000) AS BIGINT) + 1)
            * (2 * CAST(LEAST(expected_rows, 1000000) AS BIGINT) + 1)
            / 6
        ),
        FALSE
    ) AS whole
FROM (
    SELECT
        repair_file.s3_key,
        repair_file.expected_rows,
        COUNT(s3_line) AS found_rows,
        MIN(s3_line) AS first_line,
        MAX(s3_line) AS last_line,
        SUM(CAST(s3_line AS BIGINT)) AS sum_of_lines,
        SUM(CAST(s3_line AS BIGINT) * s3_line) AS sum_of_squares
    FROM repair_file
    LEFT JOIN (
        SELECT
            s3_key AS key_of_row,
            s3_line
        FROM disaster.disaster_tweets
        WHERE arrived_at >= CAST(:since AS TIMESTAMP) AND arrived_at < CAST(:until AS TIMESTAMP)
    ) AS present
        ON repair_file.s3_key = present.key_of_row
    GROUP BY repair_file.s3_key, repair_file.expected_rows
) AS counted;

-- name: lines
-- Distinct lines are counted only where the sums say that something is wrong.
UPDATE repair_result
SET found_lines = counted.lines, whole = counted.whole
FROM (
    SELECT
        repair_file.s3_key,
        COUNT(DISTINCT present.s3_line) AS lines,
        COUNT(present.s3_line) = repair_file.expected_rows
        AND COUNT(DISTINCT present.s3_line) = repair_file.expected_rows
        AND MIN(present.s3_line) = 1 AND MAX(present.s3_line) = repair_file.expected_rows AS whole
    FROM repair_file
    INNER JOIN (
        SELECT
            s3_key,
            s3_line
        FROM disaster.disaster_tweets
        WHERE arrived_at >= CAST(:since AS TIMESTAMP) AND arrived_at < CAST(:until AS TIMESTAMP)
    ) AS present
        ON repair_file.s3_key = present.s3_key
    WHERE
        repair_file.s3_key IN (
            SELECT s3_key FROM repair_result
            WHERE NOT whole
        )
    GROUP BY repair_file.s3_key, repair_file.expected_rows
) AS counted
WHERE repair_result.s3_key = counted.s3_key;

-- name: loaded
UPDATE disaster.tweet_file
SET state = 'loaded', loaded_at = CAST(:now AS TIMESTAMP)
FROM repair_result
WHERE tweet_file.s3_key = repair_result.s3_key AND repair_result.whole;

-- name: repaired
UPDATE disaster.reconciliation_finding
SET
    action = CASE WHEN repair_result.whole THEN 'repaired' ELSE 'failed' END,
    lines_after = repair_result.found_lines
FROM repair_result
WHERE reconciliation_finding.s3_key = repair_result.s3_key AND reconciliation_finding.reconciliation_id = :id;

-- name: not_whole
SELECT
    s3_key,
    found_rows,
    found_lines
FROM repair_result
WHERE NOT whole
ORDER BY s3_key;

-- name: load_error
SELECT
    line_number,
    TRIM(column_name) AS column_name,
    TRIM(error_message) AS error_message
FROM sys_load_error_detail
WHERE TRIM(file_name) LIKE :key AND start_time >= CAST(:since AS TIMESTAMP)
ORDER BY start_time DESC
LIMIT 1;
