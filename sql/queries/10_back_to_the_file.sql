-- Where does a row come from? Its file in the bucket and the line there; what came more than once stands first.
SELECT
    t.tweet_key,
    t.tweet_id,
    t.arrived_at,
    t.s3_key,
    t.s3_line,
    COUNT(*) OVER (PARTITION BY t.tweet_key) AS copies
FROM disaster.disaster_tweets AS t
ORDER BY copies DESC, t.arrived_at DESC, t.s3_key ASC, t.s3_line ASC
LIMIT 20;
