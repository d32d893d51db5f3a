-- Tweets that came more than once: chalicelib/reconcile/repeats.py.

-- name: new
-- From the newest row that was seen on, itself included: two COPYs may begin at the same moment.
CREATE TEMP TABLE new_key DISTKEY (tweet_key) AS
SELECT
    tweet_key,
    MAX(loaded_at) AS loaded_at
FROM disaster.disaster_tweets
WHERE
    arrived_at >= CAST(:since AS TIMESTAMP)
    AND loaded_at >= (
        SELECT COALESCE(MAX(repeats_until), CAST('1970-01-01' AS TIMESTAMP)) FROM disaster.reconciliation
    )
GROUP BY tweet_key;

-- name: new_and_known
CREATE TEMP TABLE new_key DISTKEY (tweet_key) AS
SELECT
    tweet_key,
    MAX(loaded_at) AS loaded_at
FROM (
    SELECT
        tweet_key,
        loaded_at
    FROM disaster.disaster_tweets
    WHERE arrived_at >= CAST(:since AS TIMESTAMP) AND loaded_at >= CAST(:loaded_since AS TIMESTAMP)
    UNION ALL
    SELECT
        tweet_key,
        newest_load
    FROM disaster.repeated_tweet
) AS every_key
GROUP BY tweet_key;

-- name: repeats
-- All rows of a tweet lie on one slice: nothing moves.
CREATE TEMP TABLE repeat DISTKEY (tweet_key) AS
SELECT
    every_row.tweet_key,
    COUNT(*) AS copies,
    MIN(every_row.arrived_at) AS first_arrived_at,
    MIN(every_row.arrived_datetime_from_kinesis) AS first_arrived,
    MAX(every_row.arrived_at) AS last_arrived_at,
    MAX(every_row.loaded_at) AS newest_load
FROM disaster.disaster_tweets AS every_row
INNER JOIN new_key ON every_row.tweet_key = new_key.tweet_key
WHERE every_row.arrived_at >= CAST(:since AS TIMESTAMP) AND every_row.erased_at IS NULL
GROUP BY every_row.tweet_key
HAVING COUNT(*) > 1;

-- name: outdated
-- Rows come with a newer load, and go with a smaller number. If the number is the same because a run saw only the
-- newest ones, the first is another. A tweet that is known to have come before the rows that are looked at keeps what
-- is known of it.
DELETE FROM disaster.repeated_tweet
WHERE
    arrived_at >= CAST(:since AS TIMESTAMP)
    AND tweet_key IN (SELECT tweet_key FROM new_key)
    AND tweet_key NOT IN (
        SELECT repeat.tweet_key FROM repeat INNER JOIN disaster.repeated_tweet ON
            repeat.tweet_key = repeated_tweet.tweet_key
            AND repeat.copies = repeated_tweet.copies
            AND repeat.first_arrived_at = repeated_tweet.arrived_at
            AND repeat.newest_load = repeated_tweet.newest_load
            AND repeated_tweet.erased_at IS NULL
    );

-- name: last_of_found
SELECT MIN(repeat.last_arrived_at) AS since
FROM repeat
LEFT JOIN disaster.repeated_tweet
    ON
        repeat.tweet_key = repeated_tweet.tweet_key
        AND repeat.copies = repeated_tweet.copies
        AND repeat.first_arrived_at = repeated_tweet.arrived_at
        AND repeat.newest_load = repeated_tweet.newest_load
        AND repeated_tweet.erased_at IS NULL
WHERE repeated_tweet.tweet_key IS NULL;

-- name: found
-- The columns of chalicelib/columns.py, each from the tweet's last row but for the time of its first arrival.
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
    place,
    country_code,
    latitude,
    longitude,
    place_basis,
    information_type,
    information_score,
    text_key,
    loaded_at,
    copies,
    last_arrived_at,
    newest_load
)
SELECT
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
    place,
    country_code,
    latitude,
    longitude,
    place_basis,
    information_type,
    information_score,
    text_key,
    loaded_at,
    copies,
    last_arrived_at,
    newest_load
FROM (
    SELECT
        last_row.original_text,
        last_row.cleaning_text,
        last_row.disaster_label,
        last_row.classifier_score,
        repeat.first_arrived AS arrived_datetime_from_kinesis,
        last_row.processing_time,
        last_row.relevance_label,
        last_row.relevance_score,
        last_row.tweet_key,
        last_row.tweet_id,
        last_row.user_id,
        last_row.created_at,
        last_row.location,
        last_row.lang,
        last_row.source_keyword,
        last_row.keywords,
        last_row.classifier_version,
        last_row.s3_key,
        last_row.s3_line,
        last_row.truncated,
        repeat.first_arrived_at AS arrived_at,
        last_row.source,
        last_row.erased_at,
        last_row.place,
        last_row.country_code,
        last_row.latitude,
        last_row.longitude,
        last_row.place_basis,
        last_row.information_type,
        last_row.information_score,
        last_row.text_key,
        last_row.loaded_at,
        repeat.copies,
        repeat.last_arrived_at,
        repeat.newest_load,
        ROW_NUMBER() OVER (
            PARTITION BY last_row.tweet_key
            ORDER BY last_row.s3_key DESC, last_row.s3_line DESC, last_row.loaded_at DESC
        ) AS nth
    FROM disaster.disaster_tweets AS last_row
    INNER JOIN repeat ON last_row.tweet_key = repeat.tweet_key AND last_row.arrived_at = repeat.last_arrived_at
    LEFT JOIN disaster.repeated_tweet ON repeat.tweet_key = repeated_tweet.tweet_key
    WHERE
        last_row.arrived_at >= CAST(:last_since AS TIMESTAMP) AND last_row.erased_at IS NULL
        AND repeated_tweet.tweet_key IS NULL
) AS numbered
WHERE nth = 1;

-- name: seen
UPDATE disaster.reconciliation
SET repeats_until = (SELECT MAX(loaded_at) FROM new_key)
WHERE reconciliation_id = :id;
