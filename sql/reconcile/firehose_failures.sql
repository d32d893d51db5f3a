-- Which tweets of records that the transform did not answer for are in no row.

-- name: unanswered_tweet
CREATE TEMP TABLE unanswered_tweet (s3_key VARCHAR(1024), tweet_key CHAR(32)) DISTKEY (tweet_key);

-- name: missing
SELECT
    unanswered_tweet.s3_key,
    COUNT(*) AS tweets,
    SUM(CASE WHEN row_key.tweet_key IS NULL THEN 1 ELSE 0 END) AS lost
FROM unanswered_tweet
LEFT JOIN (
    SELECT DISTINCT tweet_key
    FROM disaster.disaster_tweets
    WHERE arrived_at >= CAST(:since AS TIMESTAMP) AND tweet_key IN (SELECT tweet_key FROM unanswered_tweet)
) AS row_key ON unanswered_tweet.tweet_key = row_key.tweet_key
GROUP BY unanswered_tweet.s3_key;
