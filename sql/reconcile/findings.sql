-- What needs a person: chalicelib/reconcile/findings.py. First what a run does, then what people ask and do.

-- name: trouble
CREATE TEMP TABLE trouble (
    s3_key VARCHAR(1024), kind VARCHAR(16), hour TIMESTAMP, expected_rows BIGINT, found_rows BIGINT, found_lines BIGINT,
    tweets BIGINT, written_at TIMESTAMP, detail VARCHAR(1024)
) DISTKEY (s3_key);

-- name: troubled
INSERT INTO trouble
SELECT
    found.s3_key,
    CASE WHEN found.state IN ('orphaned', 'unreadable', 'unanswered') THEN found.state ELSE 'refused' END,
    found.hour,
    found.expected_rows,
    found.found_rows,
    found.found_lines,
    found.expected_rows - LEAST(COALESCE(found.lines_after, found.found_lines), found.expected_rows),
    tweet_file.written_at,
    found.detail
FROM disaster.reconciliation_finding AS found
LEFT JOIN disaster.tweet_file ON found.s3_key = tweet_file.s3_key
WHERE
    found.reconciliation_id = :id
    AND (found.action = 'failed' OR found.state IN ('orphaned', 'unreadable', 'unanswered'));

-- name: mended
UPDATE disaster.finding
SET closed_at = CAST(:now AS TIMESTAMP), closed_as = 'mended'
FROM disaster.tweet_file
WHERE
    finding.s3_key = tweet_file.s3_key AND tweet_file.state = 'loaded'
    AND finding.kind IN ('unreadable', 'refused') AND finding.closed_at IS NULL;

-- name: no_orphans
UPDATE disaster.finding
SET closed_at = CAST(:now AS TIMESTAMP), closed_as = 'mended'
WHERE
    kind = 'orphaned' AND closed_at IS NULL
    AND s3_key NOT IN (
        SELECT s3_key FROM trouble
        WHERE kind = 'orphaned'
    )
    AND (hour IN (SELECT hour FROM listed_hour) OR (hour IS NULL AND :swept = 'true'));

-- name: answered_file
CREATE TEMP TABLE answered_file (s3_key VARCHAR(1024)) DISTSTYLE ALL;

-- name: answered
UPDATE disaster.finding
SET tweets = 0, closed_at = CAST(:now AS TIMESTAMP), closed_as = 'replaced'
FROM answered_file
WHERE finding.s3_key = answered_file.s3_key AND finding.kind = 'unanswered' AND finding.closed_at IS NULL;

-- name: of_another_kind
UPDATE disaster.finding
SET closed_at = CAST(:now AS TIMESTAMP), closed_as = 'changed'
FROM trouble
WHERE
    finding.s3_key = trouble.s3_key AND finding.kind <> trouble.kind AND finding.closed_at IS NULL
    AND finding.kind IN ('unreadable', 'refused') AND trouble.kind IN ('unreadable', 'refused');

-- name: changed
UPDATE disaster.finding
SET closed_at = CAST(:now AS TIMESTAMP), closed_as = 'changed'
FROM trouble
WHERE
    finding.s3_key = trouble.s3_key AND finding.kind = trouble.kind AND finding.closed_at IS NULL
    AND finding.finding_id IN (SELECT finding_id FROM disaster.finding_resolution)
    AND (
        COALESCE(trouble.written_at, finding.opened_at) <> COALESCE(finding.written_at, finding.opened_at)
        OR trouble.expected_rows <> finding.expected_rows
        OR trouble.tweets > finding.tweets
        OR (trouble.kind = 'orphaned' AND trouble.found_rows <> finding.found_rows)
        OR (trouble.kind = 'orphaned' AND trouble.found_lines <> finding.found_lines)
    );

-- name: seen
UPDATE disaster.finding
SET
    hour = trouble.hour,
    expected_rows = trouble.expected_rows,
    found_rows = trouble.found_rows,
    found_lines = trouble.found_lines,
    tweets = trouble.tweets,
    written_at = trouble.written_at,
    detail = COALESCE(trouble.detail, finding.detail),
    seen_at = CAST(:now AS TIMESTAMP)
FROM trouble
WHERE
    finding.s3_key = trouble.s3_key AND finding.kind = trouble.kind AND finding.closed_at IS NULL
    AND finding.finding_id NOT IN (SELECT finding_id FROM disaster.finding_resolution);

-- name: opened
INSERT INTO disaster.finding
(
    finding_id, s3_key, kind, hour, expected_rows, found_rows, found_lines, tweets, written_at, detail, opened_at,
    opened_by, seen_at
)
SELECT
    SUBSTRING(MD5(trouble.s3_key || ' ' || trouble.kind || ' ' || CAST(:id AS VARCHAR(32))), 1, 16),
    trouble.s3_key,
    trouble.kind,
    trouble.hour,
    trouble.expected_rows,
    trouble.found_rows,
    trouble.found_lines,
    trouble.tweets,
    trouble.written_at,
    trouble.detail,
    CAST(:now AS TIMESTAMP),
    CAST(:id AS VARCHAR(32)),
    CAST(:now AS TIMESTAMP)
FROM trouble
LEFT JOIN disaster.finding
    ON trouble.s3_key = finding.s3_key AND trouble.kind = finding.kind AND finding.closed_at IS NULL
WHERE finding.finding_id IS NULL;

-- name: replaced
-- An orphan is replaced when each of its tweets is a row of a file that is no orphan.
INSERT INTO disaster.finding_resolution (finding_id, resolved_at, resolved_by, reason)
SELECT
    finding.finding_id,
    CAST(:now AS TIMESTAMP),
    'reconciler',
    'Each of its tweets is a row of another file'
FROM disaster.finding
INNER JOIN trouble ON finding.s3_key = trouble.s3_key AND finding.kind = trouble.kind
LEFT JOIN (
    SELECT DISTINCT own.s3_key
    FROM disaster.disaster_tweets AS own
    LEFT JOIN (
        SELECT DISTINCT tweet_key
        FROM disaster.disaster_tweets
        WHERE
            s3_key NOT IN (
                SELECT s3_key FROM disaster.finding
                WHERE kind = 'orphaned' AND closed_at IS NULL
            )
            AND tweet_key IN (
                SELECT orphan.tweet_key
                FROM disaster.disaster_tweets AS orphan
                WHERE orphan.s3_key IN (
                    SELECT s3_key FROM trouble
                    WHERE kind = 'orphaned'
                )
            )
    ) AS kept ON own.tweet_key = kept.tweet_key
    WHERE own.s3_key IN (
        SELECT s3_key FROM trouble
        WHERE kind = 'orphaned'
    ) AND kept.tweet_key IS NULL
) AS alone ON finding.s3_key = alone.s3_key
WHERE
    finding.kind = 'orphaned' AND finding.closed_at IS NULL AND alone.s3_key IS NULL
    AND finding.finding_id NOT IN (SELECT finding_id FROM disaster.finding_resolution);

-- name: accepted
UPDATE disaster.reconciliation_finding
SET action = 'resolved'
FROM (
    SELECT
        s3_key,
        kind
    FROM disaster.finding_status
    WHERE status = 'resolved'
) AS accepted
WHERE
    reconciliation_finding.reconciliation_id = :id AND reconciliation_finding.s3_key = accepted.s3_key
    AND accepted.kind
    = CASE
        WHEN
            reconciliation_finding.state IN ('orphaned', 'unreadable', 'unanswered')
            THEN reconciliation_finding.state
        ELSE 'refused'
    END
    AND (
        reconciliation_finding.action = 'failed'
        OR reconciliation_finding.state IN ('orphaned', 'unreadable', 'unanswered')
    );

-- name: kept
SELECT
    status,
    kind,
    COUNT(*) AS findings,
    SUM(tweets) AS tweets,
    SUM(CASE WHEN told_at IS NULL THEN 1 ELSE 0 END) AS untold
FROM disaster.finding_status
WHERE closed_at IS NULL
GROUP BY status, kind
ORDER BY status, kind;

-- name: worst
SELECT
    finding_id,
    s3_key,
    kind,
    hour,
    expected_rows,
    found_rows,
    tweets,
    detail,
    opened_at,
    told_at
FROM disaster.finding_status
WHERE status = 'outstanding'
ORDER BY CASE WHEN told_at IS NULL THEN 0 ELSE 1 END, tweets DESC, finding_id ASC
LIMIT 100;

-- name: told
UPDATE disaster.finding
SET told_at = CAST(:finished AS TIMESTAMP)
WHERE closed_at IS NULL AND told_at IS NULL AND opened_at <= CAST(:now AS TIMESTAMP);

-- name: outstanding
SELECT
    finding_id,
    status,
    s3_key,
    kind,
    hour,
    expected_rows,
    found_rows,
    found_lines,
    tweets,
    detail,
    opened_at,
    opened_by,
    seen_at,
    told_at,
    closed_at,
    closed_as,
    resolved_at,
    resolved_by,
    reason
FROM disaster.finding_status
WHERE status = 'outstanding'
ORDER BY opened_at DESC, finding_id ASC
LIMIT 500;

-- name: settled
SELECT
    finding_id,
    status,
    s3_key,
    kind,
    hour,
    expected_rows,
    found_rows,
    found_lines,
    tweets,
    detail,
    opened_at,
    opened_by,
    seen_at,
    told_at,
    closed_at,
    closed_as,
    resolved_at,
    resolved_by,
    reason
FROM disaster.finding_status
WHERE status <> 'outstanding'
ORDER BY COALESCE(closed_at, resolved_at) DESC, finding_id
LIMIT 500;

-- name: resolve
INSERT INTO disaster.finding_resolution (finding_id, resolved_at, resolved_by, reason, request_id)
SELECT
    finding_id,
    GETDATE(),
    CAST(:caller AS VARCHAR(2048)),
    CAST(:reason AS VARCHAR(4096)),
    CAST(:request AS VARCHAR(64))
FROM disaster.finding_status
WHERE finding_id = :finding AND status = 'outstanding';

-- name: one
SELECT
    finding_id,
    status,
    s3_key,
    kind,
    hour,
    expected_rows,
    found_rows,
    found_lines,
    tweets,
    detail,
    opened_at,
    opened_by,
    seen_at,
    told_at,
    closed_at,
    closed_as,
    resolved_at,
    resolved_by,
    reason
FROM disaster.finding_status
WHERE finding_id = :finding;
