-- Where is the source of a row? Its file in S3 and its line there; copies that came twice each have their own.
SELECT
    t.tweet_key,
    t.tweet_id,
    t.arrived_at,
    's3://<bucket>/' || t.s3_key AS tweet_file,
    t.s3_line,
    COUNT(*) OVER (PARTITION BY t.tweet_key) AS copies
FROM disaster.disaster_tweets AS t
ORDER BY copies DESC, t.arrived_at DESC, t.s3_key ASC, t.s3_line ASC
LIMIT 20;
