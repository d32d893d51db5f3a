-- What needs a person, from the run that finds it to its end; and who has resolved what, when and why.

CREATE TABLE disaster.finding (
    finding_id VARCHAR(32) NOT NULL ENCODE ZSTD, -- of its file, its kind and when it was opened: hexadecimal
    s3_key VARCHAR(1024) NOT NULL ENCODE ZSTD,
    kind VARCHAR(16) NOT NULL ENCODE ZSTD, -- orphaned, unreadable, refused, unanswered
    hour TIMESTAMP ENCODE AZ64, -- null for rows whose key names no hour
    expected_rows BIGINT NOT NULL ENCODE AZ64,
    found_rows BIGINT NOT NULL ENCODE AZ64,
    found_lines BIGINT NOT NULL ENCODE AZ64,
    tweets BIGINT NOT NULL ENCODE AZ64, -- of these in no row
    written_at TIMESTAMP ENCODE AZ64, -- the file's LastModified
    detail VARCHAR(1024) ENCODE ZSTD, -- why
    opened_at TIMESTAMP NOT NULL ENCODE RAW,
    opened_by VARCHAR(32) NOT NULL ENCODE ZSTD, -- the run
    seen_at TIMESTAMP NOT NULL ENCODE AZ64, -- the last run that found it so
    told_at TIMESTAMP ENCODE AZ64, -- when a message about it was published
    closed_at TIMESTAMP ENCODE AZ64, -- when a run found it so no longer
    closed_as VARCHAR(16) ENCODE ZSTD -- mended, replaced, changed
)
DISTSTYLE KEY DISTKEY (s3_key) -- joined with a run's findings
COMPOUND SORTKEY (opened_at);

CREATE TABLE disaster.finding_resolution (
    finding_id VARCHAR(32) NOT NULL ENCODE ZSTD,
    resolved_at TIMESTAMP NOT NULL ENCODE RAW,
    resolved_by VARCHAR(2048) NOT NULL ENCODE ZSTD, -- the caller's ARN, or reconciler
    reason VARCHAR(4096) NOT NULL ENCODE ZSTD,
    request_id VARCHAR(64) ENCODE ZSTD -- of the admin API: its audit line in the log has the same
)
DISTSTYLE ALL -- a handful of rows, added by people; nothing changes one
COMPOUND SORTKEY (resolved_at);

-- Each finding as it stands. Two resolutions at the same moment do no harm: the first one counts.
CREATE VIEW disaster.finding_status AS
SELECT
    f.finding_id,
    CASE
        WHEN f.closed_at IS NOT NULL THEN 'closed'
        WHEN r.finding_id IS NOT NULL THEN 'resolved'
        ELSE 'outstanding'
    END AS status,
    f.s3_key,
    f.kind,
    f.hour,
    f.expected_rows,
    f.found_rows,
    f.found_lines,
    f.tweets,
    f.written_at,
    f.detail,
    f.opened_at,
    f.opened_by,
    f.seen_at,
    f.told_at,
    f.closed_at,
    f.closed_as,
    r.resolved_at,
    r.resolved_by,
    r.reason
FROM disaster.finding AS f
LEFT JOIN (
    SELECT
        finding_id,
        resolved_at,
        resolved_by,
        reason,
        ROW_NUMBER() OVER (
            PARTITION BY finding_id ORDER BY resolved_at, resolved_by, reason
        ) AS nth
    FROM disaster.finding_resolution
) AS r ON f.finding_id = r.finding_id AND r.nth = 1;
