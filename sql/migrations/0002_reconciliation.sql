-- What the reconciler knows: tweet files, hours, its runs and what they found.

CREATE TABLE disaster.tweet_file (
    s3_key VARCHAR(256) NOT NULL ENCODE ZSTD, -- long, with common beginnings
    hour TIMESTAMP NOT NULL ENCODE RAW, -- of the key, UTC; sort keys stay raw: they say which blocks can be skipped
    expected_rows INTEGER NOT NULL ENCODE AZ64, -- what its name says
    bytes BIGINT NOT NULL ENCODE AZ64, -- compressed
    written_at TIMESTAMP NOT NULL ENCODE AZ64, -- S3's LastModified
    first_seen_at TIMESTAMP NOT NULL ENCODE AZ64,
    loaded_at TIMESTAMP ENCODE AZ64, -- first seen whole in the warehouse: it was loaded then or before; null until then
    repairs INTEGER NOT NULL DEFAULT 0 ENCODE AZ64, -- how often the reconciler loaded it
    state VARCHAR(16) NOT NULL ENCODE ZSTD, -- seven words; see chalicelib/reconcile/compare.py
    changed_at TIMESTAMP NOT NULL ENCODE AZ64, -- when its state was last found to be another
    PRIMARY KEY (s3_key) -- not enforced, for the planner: the reconciler looks before it adds
)
DISTSTYLE KEY DISTKEY (s3_key) -- joined and updated by key alone
COMPOUND SORTKEY (hour); -- a run looks at the hours that are due, not at years of files

CREATE TABLE disaster.tweet_hour (
    hour TIMESTAMP NOT NULL ENCODE RAW,
    hour_key VARCHAR(32) NOT NULL ENCODE ZSTD, -- what the keys of its files begin with: tweets/dt=YYYY-MM-DD/hh=HH/
    files BIGINT NOT NULL ENCODE AZ64,
    tweets BIGINT NOT NULL ENCODE AZ64, -- in its files, by their names
    loaded BIGINT NOT NULL ENCODE AZ64, -- of these in the warehouse
    waiting BIGINT NOT NULL ENCODE AZ64, -- not there, but within the grace period
    waiting_files BIGINT NOT NULL ENCODE AZ64,
    troubled_files BIGINT NOT NULL ENCODE AZ64,
    lag_seconds BIGINT ENCODE AZ64, -- from arrival to load, the mean of its rows; null without rows
    longest_lag_seconds BIGINT ENCODE AZ64,
    state VARCHAR(16) NOT NULL ENCODE ZSTD, -- open, troubled, repaired, settled
    settled_checks INTEGER NOT NULL ENCODE AZ64, -- how often in a row nothing was left to be done
    checked_at TIMESTAMP NOT NULL ENCODE AZ64,
    next_check_at TIMESTAMP NOT NULL ENCODE AZ64,
    PRIMARY KEY (hour)
)
DISTSTYLE ALL -- 8,760 rows a year: a copy on every node makes each join local
COMPOUND SORTKEY (hour);

CREATE TABLE disaster.reconciliation (
    reconciliation_id VARCHAR(32) NOT NULL ENCODE ZSTD, -- of its job: reports/reconciliations/<id>.json
    started_at TIMESTAMP NOT NULL ENCODE RAW,
    finished_at TIMESTAMP ENCODE AZ64, -- null where a run never came to its end
    repair BOOLEAN NOT NULL ENCODE ZSTD,
    grace_seconds INTEGER NOT NULL ENCODE AZ64,
    swept BOOLEAN NOT NULL ENCODE ZSTD, -- whether it also looked for rows of hours that nobody lists
    complete BOOLEAN ENCODE ZSTD, -- whether it got through all that was due
    hours BIGINT NOT NULL ENCODE AZ64, -- looked at
    files BIGINT ENCODE AZ64,
    tweets BIGINT ENCODE AZ64,
    loaded BIGINT ENCODE AZ64,
    waiting BIGINT ENCODE AZ64,
    late BIGINT ENCODE AZ64,
    repaired BIGINT ENCODE AZ64,
    lost BIGINT ENCODE AZ64,
    PRIMARY KEY (reconciliation_id)
)
DISTSTYLE ALL -- 35,000 rows a year at one run every 15 minutes
COMPOUND SORTKEY (started_at); -- the newest ones are asked for

CREATE TABLE disaster.reconciliation_finding (
    reconciliation_id VARCHAR(32) NOT NULL ENCODE ZSTD,
    found_at TIMESTAMP NOT NULL ENCODE RAW,
    s3_key VARCHAR(1024) NOT NULL ENCODE ZSTD, -- S3's longest; Firehose's own files are named here too
    hour TIMESTAMP ENCODE AZ64,
    state VARCHAR(16) NOT NULL ENCODE ZSTD,
    expected_rows BIGINT NOT NULL ENCODE AZ64,
    found_rows BIGINT NOT NULL ENCODE AZ64,
    found_lines BIGINT NOT NULL ENCODE AZ64, -- distinct ones: equal counts can hide a lost line and a doubled one
    bytes BIGINT ENCODE AZ64,
    lines_after BIGINT ENCODE AZ64, -- distinct ones after the repair, null where none was tried
    action VARCHAR(16) NOT NULL ENCODE ZSTD, -- none, to_repair, repaired, failed
    detail VARCHAR(1024) ENCODE ZSTD -- why it couldn't be repaired
)
DISTSTYLE KEY DISTKEY (s3_key) -- joined with tweet_file
COMPOUND SORTKEY (found_at); -- a run's findings lie together
