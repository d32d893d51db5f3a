-- How many rows each table has. A warehouse that is behind its migrations lacks some, so each is asked for by its name
-- (chalicelib/warehouse/status.py).

-- name: disaster_tweets
SELECT
    'disaster_tweets' AS name,
    COUNT(*) AS n
FROM disaster.disaster_tweets;

-- name: repeated_tweet
SELECT
    'repeated_tweet' AS name,
    COUNT(*) AS n
FROM disaster.repeated_tweet;

-- name: disaster_kind
SELECT
    'disaster_kind' AS name,
    COUNT(*) AS n
FROM disaster.disaster_kind;

-- name: tweet_file
SELECT
    'tweet_file' AS name,
    COUNT(*) AS n
FROM disaster.tweet_file;

-- name: tweet_hour
SELECT
    'tweet_hour' AS name,
    COUNT(*) AS n
FROM disaster.tweet_hour;

-- name: reconciliation
SELECT
    'reconciliation' AS name,
    COUNT(*) AS n
FROM disaster.reconciliation;

-- name: reconciliation_finding
SELECT
    'reconciliation_finding' AS name,
    COUNT(*) AS n
FROM disaster.reconciliation_finding;

-- name: finding
SELECT
    'finding' AS name,
    COUNT(*) AS n
FROM disaster.finding;

-- name: finding_resolution
SELECT
    'finding_resolution' AS name,
    COUNT(*) AS n
FROM disaster.finding_resolution;

-- name: reconciler_lock
SELECT
    'reconciler_lock' AS name,
    COUNT(*) AS n
FROM disaster.reconciler_lock;

-- name: label_review
SELECT
    'label_review' AS name,
    COUNT(*) AS n
FROM disaster.label_review;

-- name: situation
SELECT
    'situation' AS name,
    COUNT(*) AS n
FROM disaster.situation;

-- name: situation_post
SELECT
    'situation_post' AS name,
    COUNT(*) AS n
FROM disaster.situation_post;

-- name: erased_id
SELECT
    'erased_id' AS name,
    COUNT(*) AS n
FROM disaster.erased_id;

-- name: migration
SELECT
    'migration' AS name,
    COUNT(*) AS n
FROM disaster.migration;
