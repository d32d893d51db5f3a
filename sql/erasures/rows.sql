-- The list of what was erased, the rows that hold it, and what is left of them: chalicelib/erasures/rows.py.

-- name: new_digest
CREATE TEMP TABLE new_digest (digest CHAR(64), listed_at TIMESTAMP) DISTSTYLE ALL;

-- name: listed_again
DELETE FROM disaster.erased_id USING new_digest
WHERE erased_id.digest = new_digest.digest;

-- name: listed
INSERT INTO disaster.erased_id (digest, listed_at)
SELECT
    digest,
    MAX(listed_at) AS listed_at
FROM new_digest
GROUP BY digest;

-- name: count
SELECT COUNT(*) AS ids FROM disaster.erased_id;

-- name: forget
DELETE FROM disaster.erased_id
WHERE listed_at < CAST(:before AS TIMESTAMP);

-- name: seen_id
CREATE TEMP TABLE seen_id (object INTEGER, digest CHAR(64)) DISTKEY (digest);

-- name: seen
SELECT DISTINCT
    seen_id.object,
    seen_id.digest
FROM seen_id
INNER JOIN disaster.erased_id ON seen_id.digest = erased_id.digest;

-- name: new_erasure
CREATE TEMP TABLE new_erasure (tweet_id VARCHAR(1024), user_id VARCHAR(1024)) DISTSTYLE ALL;

-- name: find
-- Rows loaded since a time that are on the list, by their tweet or their user.
SELECT
    s3_key,
    s3_line,
    arrived_at,
    digest
FROM (
    SELECT
        t.s3_key,
        t.s3_line,
        t.arrived_at,
        listed.digest
    FROM disaster.disaster_tweets AS t
    INNER JOIN disaster.erased_id AS listed ON listed.digest = SHA2('tweet:' || t.tweet_id, 256)
    WHERE t.erased_at IS NULL AND t.loaded_at >= CAST(:since AS TIMESTAMP)
    UNION ALL
    SELECT
        t.s3_key,
        t.s3_line,
        t.arrived_at,
        listed.digest
    FROM disaster.disaster_tweets AS t
    INNER JOIN disaster.erased_id AS listed ON listed.digest = SHA2('user:' || t.user_id, 256)
    WHERE t.erased_at IS NULL AND t.loaded_at >= CAST(:since AS TIMESTAMP)
    UNION ALL
    SELECT
        t.s3_key,
        t.s3_line,
        t.arrived_at,
        listed.digest
    FROM disaster.repeated_tweet AS t
    INNER JOIN disaster.erased_id AS listed ON listed.digest = SHA2('tweet:' || t.tweet_id, 256)
    WHERE t.erased_at IS NULL AND t.loaded_at >= CAST(:since AS TIMESTAMP)
    UNION ALL
    SELECT
        t.s3_key,
        t.s3_line,
        t.arrived_at,
        listed.digest
    FROM disaster.repeated_tweet AS t
    INNER JOIN disaster.erased_id AS listed ON listed.digest = SHA2('user:' || t.user_id, 256)
    WHERE t.erased_at IS NULL AND t.loaded_at >= CAST(:since AS TIMESTAMP)
) AS found
ORDER BY arrived_at, s3_key, s3_line
LIMIT 10000;

-- name: find_asked_for
-- The same, and rows that the requests at hand name.
SELECT
    s3_key,
    s3_line,
    arrived_at,
    digest
FROM (
    SELECT
        t.s3_key,
        t.s3_line,
        t.arrived_at,
        listed.digest
    FROM disaster.disaster_tweets AS t
    INNER JOIN disaster.erased_id AS listed ON listed.digest = SHA2('tweet:' || t.tweet_id, 256)
    WHERE t.erased_at IS NULL AND t.loaded_at >= CAST(:since AS TIMESTAMP)
    UNION ALL
    SELECT
        t.s3_key,
        t.s3_line,
        t.arrived_at,
        listed.digest
    FROM disaster.disaster_tweets AS t
    INNER JOIN disaster.erased_id AS listed ON listed.digest = SHA2('user:' || t.user_id, 256)
    WHERE t.erased_at IS NULL AND t.loaded_at >= CAST(:since AS TIMESTAMP)
    UNION ALL
    SELECT
        t.s3_key,
        t.s3_line,
        t.arrived_at,
        listed.digest
    FROM disaster.repeated_tweet AS t
    INNER JOIN disaster.erased_id AS listed ON listed.digest = SHA2('tweet:' || t.tweet_id, 256)
    WHERE t.erased_at IS NULL AND t.loaded_at >= CAST(:since AS TIMESTAMP)
    UNION ALL
    SELECT
        t.s3_key,
        t.s3_line,
        t.arrived_at,
        listed.digest
    FROM disaster.repeated_tweet AS t
    INNER JOIN disaster.erased_id AS listed ON listed.digest = SHA2('user:' || t.user_id, 256)
    WHERE t.erased_at IS NULL AND t.loaded_at >= CAST(:since AS TIMESTAMP)
    UNION ALL
    SELECT
        t.s3_key,
        t.s3_line,
        t.arrived_at,
        CAST('' AS CHAR(64)) AS digest
    FROM disaster.disaster_tweets AS t
    WHERE
        t.erased_at IS NULL AND t.arrived_at >= CAST(:earliest AS TIMESTAMP)
        AND t.tweet_id IN (
            SELECT asked.tweet_id FROM new_erasure AS asked
            WHERE asked.tweet_id IS NOT NULL
        )
    UNION ALL
    SELECT
        t.s3_key,
        t.s3_line,
        t.arrived_at,
        CAST('' AS CHAR(64)) AS digest
    FROM disaster.disaster_tweets AS t
    WHERE
        t.erased_at IS NULL AND t.arrived_at >= CAST(:earliest AS TIMESTAMP)
        AND t.user_id IN (
            SELECT asked.user_id FROM new_erasure AS asked
            WHERE asked.user_id IS NOT NULL
        )
    UNION ALL
    SELECT
        t.s3_key,
        t.s3_line,
        t.arrived_at,
        CAST('' AS CHAR(64)) AS digest
    FROM disaster.repeated_tweet AS t
    WHERE
        t.erased_at IS NULL AND t.arrived_at >= CAST(:earliest AS TIMESTAMP)
        AND t.tweet_id IN (
            SELECT asked.tweet_id FROM new_erasure AS asked
            WHERE asked.tweet_id IS NOT NULL
        )
    UNION ALL
    SELECT
        t.s3_key,
        t.s3_line,
        t.arrived_at,
        CAST('' AS CHAR(64)) AS digest
    FROM disaster.repeated_tweet AS t
    WHERE
        t.erased_at IS NULL AND t.arrived_at >= CAST(:earliest AS TIMESTAMP)
        AND t.user_id IN (
            SELECT asked.user_id FROM new_erasure AS asked
            WHERE asked.user_id IS NOT NULL
        )
) AS found
ORDER BY arrived_at, s3_key, s3_line
LIMIT 10000;

-- name: erased_line
CREATE TEMP TABLE erased_line (s3_key VARCHAR(256), s3_line INTEGER) DISTSTYLE ALL;

-- name: erase_tweets
-- All but what KEPT in records.py names goes.
UPDATE disaster.disaster_tweets
SET
    original_text = NULL,
    cleaning_text = NULL,
    tweet_id = NULL,
    user_id = NULL,
    created_at = NULL,
    location = NULL,
    lang = NULL,
    source_keyword = NULL,
    keywords = NULL,
    place = NULL,
    country_code = NULL,
    latitude = NULL,
    longitude = NULL,
    place_basis = NULL,
    text_key = NULL,
    erased_at = CAST(:now AS TIMESTAMP)
FROM erased_line
WHERE
    disaster_tweets.s3_key = erased_line.s3_key
    AND disaster_tweets.s3_line = erased_line.s3_line
    AND disaster_tweets.erased_at IS NULL;

-- name: erase_repeated
UPDATE disaster.repeated_tweet
SET
    original_text = NULL,
    cleaning_text = NULL,
    tweet_id = NULL,
    user_id = NULL,
    created_at = NULL,
    location = NULL,
    lang = NULL,
    source_keyword = NULL,
    keywords = NULL,
    place = NULL,
    country_code = NULL,
    latitude = NULL,
    longitude = NULL,
    place_basis = NULL,
    text_key = NULL,
    erased_at = CAST(:now AS TIMESTAMP)
FROM erased_line
WHERE
    repeated_tweet.s3_key = erased_line.s3_key
    AND repeated_tweet.s3_line = erased_line.s3_line
    AND repeated_tweet.erased_at IS NULL;

-- name: erase_notes
-- What people have noted of a post may quote it. Their labels stay, as the row's do.
UPDATE disaster.label_review
SET note = NULL
WHERE
    note IS NOT NULL AND tweet_key IN (
        SELECT t.tweet_key
        FROM disaster.disaster_tweets AS t
        INNER JOIN erased_line AS l ON t.s3_key = l.s3_key AND t.s3_line = l.s3_line
    );

-- name: erase_shown
-- A situation is shown by no post that is gone. Its figures stay, for they are nobody's.
DELETE FROM disaster.situation_post
WHERE
    tweet_key IN (
        SELECT t.tweet_key
        FROM disaster.disaster_tweets AS t
        INNER JOIN erased_line AS l ON t.s3_key = l.s3_key AND t.s3_line = l.s3_line
    );
