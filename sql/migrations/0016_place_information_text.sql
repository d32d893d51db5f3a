-- Where a text speaks of, what it tells, and which texts say the same. Redshift replaces a view only by one with the
-- same columns (docs.aws.amazon.com/redshift/latest/dg/r_CREATE_VIEW.html): the views that get more are made anew.
DROP VIEW disaster.situation_example;

DROP VIEW disaster.tweet_keyword;

DROP VIEW disaster.hourly_kind;

DROP VIEW disaster.tweet;

DROP VIEW disaster.tweet_history;

ALTER TABLE disaster.disaster_tweets ADD COLUMN place VARCHAR(256) ENCODE ZSTD; -- where the text speaks of

ALTER TABLE disaster.disaster_tweets ADD COLUMN country_code CHAR(2) ENCODE BYTEDICT; -- ISO 3166-1 alpha-2 of the place

ALTER TABLE disaster.disaster_tweets ADD COLUMN latitude DOUBLE PRECISION ENCODE ZSTD; -- degrees north

ALTER TABLE disaster.disaster_tweets ADD COLUMN longitude DOUBLE PRECISION ENCODE ZSTD; -- degrees east

ALTER TABLE disaster.disaster_tweets ADD COLUMN place_basis VARCHAR(16) ENCODE BYTEDICT; -- what tells the place

ALTER TABLE disaster.disaster_tweets ADD COLUMN information_type VARCHAR(32) ENCODE BYTEDICT; -- what it tells

ALTER TABLE disaster.disaster_tweets ADD COLUMN information_score DOUBLE PRECISION ENCODE ZSTD; -- its probability

ALTER TABLE disaster.disaster_tweets ADD COLUMN text_key CHAR(16) ENCODE ZSTD; -- the same where texts say the same

-- As in disaster_tweets, of the last arrival.
ALTER TABLE disaster.repeated_tweet ADD COLUMN place VARCHAR(256) ENCODE ZSTD;

ALTER TABLE disaster.repeated_tweet ADD COLUMN country_code CHAR(2) ENCODE BYTEDICT;

ALTER TABLE disaster.repeated_tweet ADD COLUMN latitude DOUBLE PRECISION ENCODE ZSTD;

ALTER TABLE disaster.repeated_tweet ADD COLUMN longitude DOUBLE PRECISION ENCODE ZSTD;

ALTER TABLE disaster.repeated_tweet ADD COLUMN place_basis VARCHAR(16) ENCODE BYTEDICT;

ALTER TABLE disaster.repeated_tweet ADD COLUMN information_type VARCHAR(32) ENCODE BYTEDICT;

ALTER TABLE disaster.repeated_tweet ADD COLUMN information_score DOUBLE PRECISION ENCODE ZSTD;

ALTER TABLE disaster.repeated_tweet ADD COLUMN text_key CHAR(16) ENCODE ZSTD;

-- Every row of every tweet that isn't erased, numbered by arrival, as in 0012.
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
    t.place,
    t.country_code,
    t.latitude,
    t.longitude,
    t.place_basis,
    t.information_type,
    t.information_score,
    t.text_key,
    ROW_NUMBER() OVER (PARTITION BY t.tweet_key ORDER BY t.arrived_at, t.s3_key, t.s3_line) AS arrival,
    COUNT(*) OVER (PARTITION BY t.tweet_key) AS copies,
    MIN(t.arrived_at) OVER (PARTITION BY t.tweet_key) AS first_arrived_at,
    MIN(t.arrived_datetime_from_kinesis) OVER (PARTITION BY t.tweet_key) AS first_arrived_datetime_from_kinesis
FROM disaster.disaster_tweets AS t
WHERE t.erased_at IS NULL;

-- Every tweet once, as in 0013.
CREATE VIEW disaster.tweet AS
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
    t.source,
    t.place,
    t.country_code,
    t.latitude,
    t.longitude,
    t.place_basis,
    t.information_type,
    t.information_score,
    t.text_key
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
    r.source,
    r.place,
    r.country_code,
    r.latitude,
    r.longitude,
    r.place_basis,
    r.information_type,
    r.information_score,
    r.text_key
FROM disaster.repeated_tweet AS r
WHERE r.erased_at IS NULL;

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

-- Tweets an hour and kind. "Relevant" are those that speak of a real disaster;
-- retweets and near-repeats are one text.
CREATE VIEW disaster.hourly_kind AS
SELECT
    DATE_TRUNC('hour', t.arrived_at) AS hour,
    t.disaster_label AS kind,
    COUNT(*) AS tweets,
    SUM(CASE WHEN t.relevance_label = 'relevant' THEN 1 ELSE 0 END) AS relevant,
    SUM(t.copies) - COUNT(*) AS repeats,
    AVG(t.classifier_score) AS mean_score,
    COUNT(DISTINCT COALESCE(t.text_key, t.tweet_key)) AS distinct_texts -- rows without a key are older
FROM disaster.tweet AS t
GROUP BY DATE_TRUNC('hour', t.arrived_at), t.disaster_label;

-- Texts, each with the tweets that say it. `original_text` is one of theirs, the first by the alphabet.
CREATE VIEW disaster.tweet_text AS
SELECT
    t.text_key,
    COUNT(*) AS tweets,
    COUNT(DISTINCT t.user_id) AS users,
    SUM(CASE WHEN t.relevance_label = 'relevant' THEN 1 ELSE 0 END) AS relevant,
    MIN(t.arrived_at) AS first_arrived_at,
    MAX(t.arrived_at) AS last_arrived_at,
    MIN(t.original_text) AS original_text
FROM disaster.tweet AS t
WHERE t.text_key IS NOT NULL
GROUP BY t.text_key;

-- The posts that show a situation as they are now, as in 0015.
CREATE VIEW disaster.situation_example AS
SELECT
    p.situation_id,
    p.nth,
    p.posts,
    t.tweet_key,
    t.tweet_id,
    t.original_text,
    t.source,
    t.lang,
    LEAST(t.created_at, t.arrived_at) AS written_at, -- LEAST ignores nulls
    t.arrived_at,
    t.s3_key,
    t.s3_line
FROM disaster.situation_post AS p
INNER JOIN disaster.tweet AS t ON p.tweet_key = t.tweet_key;
