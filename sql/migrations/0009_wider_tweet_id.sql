-- A post of Bluesky is known by its at:// URI, some 70 bytes. Redshift runs this in no transaction.
ALTER TABLE disaster.disaster_tweets ALTER COLUMN tweet_id TYPE VARCHAR(256);
