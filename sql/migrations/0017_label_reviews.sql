-- What people say of a post: which labels it should have. They are what a classifier is measured by, and learns from.

-- Without the post's text: what is erased is erased in one place. A note may quote it, and goes with it.
CREATE TABLE disaster.label_review (
    tweet_key CHAR(32) NOT NULL ENCODE ZSTD, -- which post
    reviewed_at TIMESTAMP NOT NULL ENCODE RAW,
    reviewed_by VARCHAR(2048) NOT NULL ENCODE ZSTD, -- the caller's ARN
    disaster_label VARCHAR(32) NOT NULL ENCODE BYTEDICT, -- what they say it is: codes as in disaster_tweets
    relevance_label VARCHAR(16) NOT NULL ENCODE BYTEDICT,
    information_type VARCHAR(32) ENCODE BYTEDICT, -- null where they don't say, or the post is not relevant
    note VARCHAR(4096) ENCODE ZSTD,
    told_label VARCHAR(32) ENCODE BYTEDICT, -- what the post was labelled then, and by which classifier
    told_relevance VARCHAR(16) ENCODE BYTEDICT,
    classifier_version VARCHAR(128) ENCODE BYTEDICT,
    request_id VARCHAR(64) ENCODE ZSTD -- of the admin API: its audit line in the log has the same
)
DISTKEY (tweet_key) -- as disaster_tweets: joined with it where the rows lie
SORTKEY (reviewed_at);

-- What each person says of a post: of several reviews the last one counts.
CREATE VIEW disaster.label_review_latest AS
SELECT
    tweet_key,
    reviewed_at,
    reviewed_by,
    disaster_label,
    relevance_label,
    information_type,
    note,
    told_label,
    told_relevance,
    classifier_version
FROM (
    SELECT
        r.*,
        ROW_NUMBER() OVER (
            PARTITION BY r.tweet_key, r.reviewed_by ORDER BY r.reviewed_at DESC, r.request_id DESC
        ) AS nth
    FROM disaster.label_review AS r
) AS numbered
WHERE nth = 1;

-- The posts that people have labelled, with their texts and these labels: as a CSV, `python -m label_prep evaluate`
-- takes it. Whoever asks names a time (arrived_at): then blocks are skipped.
CREATE VIEW disaster.reviewed_tweet AS
SELECT
    t.original_text,
    r.disaster_label,
    r.relevance_label,
    r.information_type,
    t.lang,
    r.tweet_key,
    r.reviewed_at,
    r.reviewed_by,
    r.told_label,
    r.told_relevance,
    r.classifier_version,
    t.arrived_at
FROM disaster.label_review_latest AS r
INNER JOIN disaster.tweet AS t ON r.tweet_key = t.tweet_key;
