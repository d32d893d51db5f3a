-- The views that 0008 took away, with `source` at the end.

-- Every row of every tweet, numbered by arrival. The last one is what `tweet` shows, the first one says when the tweet
-- came. All rows of a tweet lie on one slice (the distribution key), so the windows move no rows.
CREATE VIEW disaster.tweet_history AS
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
FROM disaster.disaster_tweets AS t;

-- Every tweet once, as in 0006: the row that arrived last counts, with the time of the first arrival.
CREATE VIEW disaster.tweet AS
SELECT
    original_text,
    cleaning_text,
    disaster_label,
    classifier_score,
    first_arrived_datetime_from_kinesis AS arrived_datetime_from_kinesis,
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
    first_arrived_at AS arrived_at,
    loaded_at,
    copies,
    source
FROM disaster.tweet_history
WHERE arrival = copies;

-- Each word that ties a tweet to a kind, with its context: a row a keyword.
CREATE VIEW disaster.tweet_keyword AS
SELECT
    t.tweet_key,
    t.tweet_id,
    t.arrived_at,
    t.disaster_label,
    t.relevance_label,
    CAST(k.prefix AS VARCHAR(256)) AS prefix,
    CAST(k.word AS VARCHAR(256)) AS word,
    CAST(k.suffix AS VARCHAR(256)) AS suffix,
    CAST(k.theme AS VARCHAR(32)) AS theme
FROM disaster.tweet AS t, t.keywords AS k;

-- Tweets an hour and kind. "Relevant" are those that speak of a real disaster.
CREATE VIEW disaster.hourly_kind AS
SELECT
    DATE_TRUNC('hour', t.arrived_at) AS hour,
    t.disaster_label AS kind,
    COUNT(*) AS tweets,
    SUM(CASE WHEN t.relevance_label = 'relevant' THEN 1 ELSE 0 END) AS relevant,
    SUM(t.copies) - COUNT(*) AS repeats,
    AVG(t.classifier_score) AS mean_score
FROM disaster.tweet AS t
GROUP BY DATE_TRUNC('hour', t.arrived_at), t.disaster_label;
