-- When did the latest tweet arrive that a version labelled?
SELECT EXTRACT(EPOCH FROM MAX(arrived_at)) AS last_use
FROM disaster.disaster_tweets
WHERE classifier_version = :version AND arrived_at >= CAST(:since AS TIMESTAMP);
