-- What its author deletes is erased: the row stays, without text, IDs, place and words, and says since when.
-- chalicelib/erasures/ does it.

ALTER TABLE disaster.disaster_tweets ADD COLUMN erased_at TIMESTAMP ENCODE AZ64; -- UTC; null: it isn't erased

-- What was erased must not come back by a replay or a late delivery: the digests of all IDs that had to be erased.
-- A digest names nobody; who has the ID can look it up.
CREATE TABLE disaster.erased_id (
    digest CHAR(64) NOT NULL ENCODE ZSTD, -- SHA-256 of tweet:<tweet_id> or user:<user_id>, in hex
    listed_at TIMESTAMP NOT NULL ENCODE AZ64 -- when it was last asked for, UTC
)
DISTSTYLE KEY DISTKEY (digest) -- joined by digest alone
COMPOUND SORTKEY (listed_at); -- the oldest are forgotten

-- As in 0011, without what is erased: `tweet` and all views that ask it show no tombstones.
CREATE OR REPLACE VIEW disaster.tweet_history AS
SELECT
    t.original_text,
    t.cleaning_text,
    t.disaster_label,
    t.classifier_score,
    t.arrived_datetime_from_kinesis,
    t.processing_time,
    t.relevance_label,
    t.relevance_score,
    t.tweet_key,
    t.tweet_id,
    t.user_id,
    t.created_at,
    t.location,
    t.lang,
    t.source_keyword,
    t.keywords,
    t.classifier_version,
    t.s3_key,
    t.s3_line,
    t.truncated,
    t.arrived_at,
    t.loaded_at,
    t.source,
    ROW_NUMBER() OVER (PARTITION BY t.tweet_key ORDER BY t.arrived_at, t.s3_key, t.s3_line) AS arrival,
    COUNT(*) OVER (PARTITION BY t.tweet_key) AS copies,
    MIN(t.arrived_at) OVER (PARTITION BY t.tweet_key) AS first_arrived_at,
    MIN(t.arrived_datetime_from_kinesis) OVER (PARTITION BY t.tweet_key) AS first_arrived_datetime_from_kinesis
FROM disaster.disaster_tweets AS t
WHERE t.erased_at IS NULL;
