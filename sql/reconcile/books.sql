-- What a run comes to, written down and read for its report.

-- name: not_loaded
CREATE TEMP TABLE not_loaded (s3_key VARCHAR(256), state VARCHAR(16), detail VARCHAR(1024)) DISTSTYLE ALL;

-- name: files_judged
UPDATE disaster.tweet_file
SET state = 'unreadable', changed_at = CAST(:now AS TIMESTAMP)
FROM not_loaded
WHERE tweet_file.s3_key = not_loaded.s3_key AND not_loaded.state = 'unreadable';

-- name: findings_judged
UPDATE disaster.reconciliation_finding
SET
    action = 'failed',
    state = CASE WHEN not_loaded.state = 'unreadable' THEN 'unreadable' ELSE reconciliation_finding.state END,
    detail = not_loaded.detail
FROM not_loaded
WHERE reconciliation_finding.s3_key = not_loaded.s3_key AND reconciliation_finding.reconciliation_id = :id;

-- name: former_unanswered
DELETE FROM disaster.reconciliation_finding
WHERE reconciliation_id = :id AND state = 'unanswered';

-- name: hours_mended
-- From what was found, not by adding to what is there: so that it can be repeated. An hour with a finding that needs a
-- person is looked at again within an hour, so that what somebody did about it is seen.
UPDATE disaster.tweet_hour
SET
    loaded = tweet_hour.tweets - tweet_hour.waiting - left_over.absent,
    troubled_files = left_over.files,
    state = CASE
        WHEN left_over.files > 0 THEN 'troubled'
        WHEN left_over.repaired > 0 THEN 'repaired'
        WHEN tweet_hour.state = 'troubled' THEN 'settled'
        ELSE tweet_hour.state
    END,
    settled_checks = CASE WHEN left_over.outstanding > 0 THEN 0 ELSE tweet_hour.settled_checks END,
    next_check_at = CASE
        WHEN left_over.outstanding > 0 THEN LEAST(tweet_hour.next_check_at, CAST(:in_an_hour AS TIMESTAMP))
        ELSE tweet_hour.next_check_at
    END
FROM (
    SELECT
        hour,
        COUNT(CASE WHEN state <> 'unanswered' AND action NOT IN ('repaired', 'resolved') THEN 1 END) AS files,
        COUNT(CASE WHEN action = 'repaired' AND state <> 'new' THEN 1 END) AS repaired,
        COUNT(CASE
            WHEN action = 'failed' OR (state IN ('orphaned', 'unreadable', 'unanswered') AND action = 'none') THEN 1
        END) AS outstanding,
        SUM(CASE
            WHEN state = 'unanswered' THEN 0
            ELSE expected_rows - LEAST(COALESCE(lines_after, found_lines), expected_rows)
        END) AS absent
    FROM disaster.reconciliation_finding
    WHERE reconciliation_id = :id AND hour IS NOT NULL
    GROUP BY hour
) AS left_over
WHERE tweet_hour.hour = left_over.hour;

-- name: twice
SELECT
    COUNT(*) AS tweets,
    COALESCE(SUM(copies - 1), 0) AS extra
FROM disaster.repeated_tweet
WHERE erased_at IS NULL AND SUBSTRING(s3_key, 1, 27) IN (SELECT hour_key FROM listed_hour);

-- name: kinds
SELECT
    looked_at.disaster_label AS code,
    MAX(disaster_kind.name) AS name,
    COUNT(*) AS tweets,
    SUM(CASE WHEN looked_at.relevance_label = 'relevant' THEN 1 ELSE 0 END) AS relevant
FROM (
-- for each window
    SELECT
        disaster_label,
        relevance_label
    FROM disaster.disaster_tweets
    WHERE
        arrived_at >= CAST(:since AS TIMESTAMP) AND arrived_at < CAST(:until AS TIMESTAMP)
        AND SUBSTRING(s3_key, 1, 27) IN (
            SELECT hour_key FROM listed_hour
            WHERE hour >= CAST(:since AS TIMESTAMP) AND hour < CAST(:stop AS TIMESTAMP)
        )
-- end of window
) AS looked_at
LEFT JOIN disaster.disaster_kind ON looked_at.disaster_label = disaster_kind.code
GROUP BY looked_at.disaster_label
ORDER BY tweets DESC, code ASC;

-- name: hours
SELECT
    hour,
    state,
    files,
    tweets,
    loaded,
    waiting,
    waiting_files,
    troubled_files,
    lag_seconds,
    longest_lag_seconds
FROM disaster.tweet_hour
WHERE hour >= CAST(:strip_start AS TIMESTAMP) AND hour < CAST(:strip_stop AS TIMESTAMP)
ORDER BY hour;

-- name: actions
SELECT
    state,
    action,
    COUNT(*) AS files,
    SUM(expected_rows - LEAST(found_lines, expected_rows)) AS absent,
    SUM(expected_rows - LEAST(COALESCE(lines_after, found_lines), expected_rows)) AS absent_after,
    SUM(found_rows - found_lines) AS doubled,
    SUM(found_rows) AS found
FROM disaster.reconciliation_finding
WHERE reconciliation_id = :id
GROUP BY state, action;

-- name: worst
-- Those in the report; all are in the table.
SELECT
    s3_key,
    hour,
    state,
    expected_rows,
    found_rows,
    found_lines,
    lines_after,
    action,
    detail
FROM disaster.reconciliation_finding
WHERE reconciliation_id = :id AND (state <> 'new' OR action <> 'repaired')
ORDER BY
    CASE
        WHEN action = 'failed' OR (state IN ('orphaned', 'unreadable', 'unanswered') AND action = 'none') THEN 0
        ELSE 1
    END,
    action DESC,
    s3_key DESC
LIMIT 500;

-- name: closed
UPDATE disaster.reconciliation
SET
    finished_at = CAST(:finished AS TIMESTAMP),
    complete = :complete = 'true',
    files = CAST(:files AS BIGINT),
    tweets = CAST(:tweets AS BIGINT),
    loaded = CAST(:loaded AS BIGINT),
    waiting = CAST(:waiting AS BIGINT),
    late = CAST(:late AS BIGINT),
    repaired = CAST(:repaired AS BIGINT),
    lost = CAST(:lost AS BIGINT)
WHERE reconciliation_id = :id;

-- name: ordinary
-- A new file that was loaded is no finding: it was one while the run was to load it.
DELETE FROM disaster.reconciliation_finding
WHERE reconciliation_id = :id AND state = 'new' AND action = 'repaired';
