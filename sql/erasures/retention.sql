-- Rows that are older than the stage keeps them: chalicelib/erasures/retention.py.

-- name: oldest
SELECT MIN(arrived_at) AS arrived_at FROM disaster.disaster_tweets;

-- name: tweets
-- By the hour of the file, for a file stays or goes whole; the sort key says which blocks need not be read.
DELETE FROM disaster.disaster_tweets
WHERE (arrived_at < CAST(:latest AS TIMESTAMP) AND s3_key < :key) OR arrived_at < CAST(:earliest AS TIMESTAMP);

-- name: repeated
DELETE FROM disaster.repeated_tweet
WHERE arrived_at < CAST(:before AS TIMESTAMP) AND last_arrived_at < CAST(:before AS TIMESTAMP);

-- name: shown
-- The posts that show a situation go with its time; its figures stay.
DELETE FROM disaster.situation_post
WHERE
    situation_id IN (
        SELECT situation_id FROM disaster.situation
        WHERE last_at < CAST(:before AS TIMESTAMP)
    );

-- name: files
DELETE FROM disaster.tweet_file
WHERE hour < CAST(:before AS TIMESTAMP);

-- name: hours
DELETE FROM disaster.tweet_hour
WHERE hour < CAST(:before AS TIMESTAMP);

-- name: findings
DELETE FROM disaster.reconciliation_finding
WHERE found_at < CAST(:before AS TIMESTAMP);

-- name: reconciliations
DELETE FROM disaster.reconciliation
WHERE started_at < CAST(:before AS TIMESTAMP);
