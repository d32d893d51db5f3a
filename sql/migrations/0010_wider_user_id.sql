-- A user of Bluesky is known by a DID, which may hold a host's name. Redshift runs this in no transaction.
ALTER TABLE disaster.disaster_tweets ALTER COLUMN user_id TYPE VARCHAR(128);
