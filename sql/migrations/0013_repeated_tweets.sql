-- Tweets that came more than once are kept apart, as `tweet` shows them, so that the view needs no window over the
-- whole table: a WHERE on arrived_at reaches the scan of both tables, and what it excludes is not read.

-- One row a tweet of which several rows are known; docs/architecture.md says when they are found. The reconciler keeps
-- it (chalicelib/reconcile/repeats.py); it could be made anew from disaster_tweets at any time. Its text is erased
-- with that of the rows. BYTEDICT is for columns of few different values, VARCHAR included
-- (docs.aws.amazon.com/redshift/latest/dg/c_Byte_dictionary_encoding.html).
CREATE TABLE disaster.repeated_tweet (
    original_text VARCHAR(65535) ENCODE ZSTD,
    cleaning_text VARCHAR(65535) ENCODE ZSTD,
    disaster_label VARCHAR(32) ENCODE BYTEDICT, -- a few values: Redshift compares them as they are packed
    classifier_score DOUBLE PRECISION ENCODE ZSTD,
    arrived_datetime_from_kinesis BIGINT ENCODE AZ64, -- of the first arrival
    processing_time DOUBLE PRECISION ENCODE ZSTD,
    relevance_label VARCHAR(16) ENCODE BYTEDICT,
    relevance_score DOUBLE PRECISION ENCODE ZSTD,
    tweet_key CHAR(32) ENCODE ZSTD NOT NULL,
    tweet_id VARCHAR(256) ENCODE ZSTD,
    user_id VARCHAR(128) ENCODE ZSTD,
    created_at TIMESTAMP ENCODE AZ64,
    location VARCHAR(512) ENCODE ZSTD,
    lang VARCHAR(16) ENCODE BYTEDICT,
    source_keyword VARCHAR(256) ENCODE ZSTD,
    keywords SUPER ENCODE ZSTD,
    classifier_version VARCHAR(128) ENCODE BYTEDICT,
    s3_key VARCHAR(256) ENCODE ZSTD NOT NULL, -- of the last arrival, as all that isn't said to be the first's
    s3_line INTEGER ENCODE AZ64 NOT NULL,
    truncated BOOLEAN ENCODE ZSTD,
    arrived_at TIMESTAMP ENCODE RAW NOT NULL, -- of the first arrival
    source VARCHAR(16) ENCODE BYTEDICT,
    erased_at TIMESTAMP ENCODE AZ64,
    loaded_at TIMESTAMP ENCODE AZ64 NOT NULL,
    copies BIGINT ENCODE AZ64 NOT NULL, -- how often it arrived
    last_arrived_at TIMESTAMP ENCODE AZ64 NOT NULL,
    newest_load TIMESTAMP ENCODE AZ64 NOT NULL -- of all its copies: another one says that something has changed
)
DISTKEY (tweet_key) -- as disaster_tweets: joined with it where the rows lie
SORTKEY (arrived_at); -- as disaster_tweets: questions are about a time

-- What is there already.
INSERT INTO disaster.repeated_tweet (
    original_text,
    cleaning_text,
    disaster_label,
    classifier_score,
    arrived_datetime_from_kinesis,
    processing_time,
    relevance_label,
    relevance_score,
    tweet_key,
    tweet_id,
    user_id,
    created_at,
    location,
    lang,
    source_keyword,
    keywords,
    classifier_version,
    s3_key,
    s3_line,
    truncated,
    arrived_at,
    source,
    erased_at,
    loaded_at,
    copies,
    last_arrived_at,
    newest_load
)
SELECT
    n.original_text,
    n.cleaning_text,
    n.disaster_label,
    n.classifier_score,
    n.first_arrived_datetime_from_kinesis,
    n.processing_time,
    n.relevance_label,
    n.relevance_score,
    n.tweet_key,
    n.tweet_id,
    n.user_id,
    n.created_at,
    n.location,
    n.lang,
    n.source_keyword,
    n.keywords,
    n.classifier_version,
    n.s3_key,
    n.s3_line,
    n.truncated,
    n.first_arrived_at,
    n.source,
    n.erased_at,
    n.loaded_at,
    n.copies,
    n.arrived_at,
    n.newest_load
FROM (
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
        t.source,
        t.erased_at,
        t.loaded_at,
        ROW_NUMBER() OVER (PARTITION BY t.tweet_key ORDER BY t.arrived_at, t.s3_key, t.s3_line) AS arrival,
        COUNT(*) OVER (PARTITION BY t.tweet_key) AS copies,
        MIN(t.arrived_at) OVER (PARTITION BY t.tweet_key) AS first_arrived_at,
        MIN(t.arrived_datetime_from_kinesis) OVER (PARTITION BY t.tweet_key) AS first_arrived_datetime_from_kinesis,
        MAX(t.loaded_at) OVER (PARTITION BY t.tweet_key) AS newest_load
    FROM disaster.disaster_tweets AS t
    WHERE t.erased_at IS NULL
) AS n
WHERE n.copies > 1 AND n.arrival = n.copies;

ALTER TABLE disaster.reconciliation ADD COLUMN repeats_until TIMESTAMP ENCODE AZ64; -- loaded_at of the newest row seen

-- Every tweet once, as in 0006 and 0012: the row that arrived last counts, with the time of the first arrival. A tweet
-- that is known to have come more than once is a row of repeated_tweet; all others are the rows of disaster_tweets.
CREATE OR REPLACE VIEW disaster.tweet AS
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
    CAST(1 AS BIGINT) AS copies,
    t.source
FROM disaster.disaster_tweets AS t
LEFT JOIN disaster.repeated_tweet AS r ON t.tweet_key = r.tweet_key
WHERE r.tweet_key IS NULL AND t.erased_at IS NULL
UNION ALL
SELECT
    r.original_text,
    r.cleaning_text,
    r.disaster_label,
    r.classifier_score,
    r.arrived_datetime_from_kinesis,
    r.processing_time,
    r.relevance_label,
    r.relevance_score,
    r.tweet_key,
    r.tweet_id,
    r.user_id,
    r.created_at,
    r.location,
    r.lang,
    r.source_keyword,
    r.keywords,
    r.classifier_version,
    r.s3_key,
    r.s3_line,
    r.truncated,
    r.arrived_at,
    r.loaded_at,
    r.copies,
    r.source
FROM disaster.repeated_tweet AS r
WHERE r.erased_at IS NULL;
