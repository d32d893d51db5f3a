-- Where a post comes from. IDs get wider in the next two migrations, for those of Bluesky are long. Redshift alters no
-- column that a view uses, so the views that use them go here and come back in 0011.
DROP VIEW disaster.tweet_keyword;

DROP VIEW disaster.hourly_kind;

DROP VIEW disaster.tweet;

DROP VIEW disaster.tweet_history;

ALTER TABLE disaster.disaster_tweets ADD COLUMN source VARCHAR(16) ENCODE ZSTD; -- x, bluesky, mastodon, replay
