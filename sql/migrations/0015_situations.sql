-- What is happening: a kind of disaster, at a place, since a time, with far more distinct texts than usual.
-- chalicelib/situations/ keeps these tables; docs/situations.md says how.

CREATE TABLE disaster.situation (
    situation_id VARCHAR(32) NOT NULL ENCODE ZSTD, -- of its kind, its country and when it began: hexadecimal
    kind VARCHAR(32) NOT NULL ENCODE ZSTD REFERENCES disaster.disaster_kind (code),
    country_code VARCHAR(2) ENCODE ZSTD, -- ISO 3166-1; null where no one country stands out
    place VARCHAR(256) ENCODE ZSTD, -- the place that most of its distinct texts name; null where none names one
    began_at TIMESTAMP NOT NULL ENCODE RAW, -- of its first post, to five minutes, UTC as all times here
    peak_at TIMESTAMP NOT NULL ENCODE AZ64, -- when the hour with the most distinct texts began
    last_at TIMESTAMP NOT NULL ENCODE AZ64, -- until when it was far more than usual
    posts BIGINT NOT NULL ENCODE AZ64, -- written from began_at to last_at
    distinct_texts BIGINT NOT NULL ENCODE AZ64, -- of these; retweets and near-repeats share one
    peak_posts BIGINT NOT NULL ENCODE AZ64, -- of the peak's hour
    peak_texts BIGINT NOT NULL ENCODE AZ64,
    expected_texts DOUBLE PRECISION NOT NULL ENCODE ZSTD, -- that were to be expected in the peak's hour
    severity VARCHAR(16) NOT NULL ENCODE ZSTD, -- minor, moderate or major: by peak_texts
    places SUPER ENCODE ZSTD, -- [{place, country_code, latitude, longitude, posts, distinct_texts}], up to ten
    information_types SUPER ENCODE ZSTD, -- [{information_type, posts, distinct_texts}]
    opened_at TIMESTAMP NOT NULL ENCODE AZ64, -- by which run it was found
    opened_by VARCHAR(32) NOT NULL ENCODE ZSTD, -- the run
    seen_at TIMESTAMP NOT NULL ENCODE AZ64, -- the last run that found it going on
    told_at TIMESTAMP ENCODE AZ64, -- when a message about it was published; null before
    told_by VARCHAR(32) ENCODE ZSTD, -- the run that published it
    closed_at TIMESTAMP ENCODE AZ64 -- when a run found that it was over; null while it goes on
)
DISTSTYLE ALL -- a handful a day, read with kinds and posts
COMPOUND SORTKEY (began_at);

-- The posts that show a situation best. Without their texts: what is erased is erased in one place.
CREATE TABLE disaster.situation_post (
    situation_id VARCHAR(32) NOT NULL ENCODE ZSTD,
    nth INTEGER NOT NULL ENCODE AZ64, -- from 1, the best
    tweet_key CHAR(32) NOT NULL ENCODE ZSTD,
    posts BIGINT NOT NULL ENCODE AZ64 -- of the situation with the same text
)
DISTKEY (tweet_key) -- as disaster_tweets: joined with it where the rows lie
SORTKEY (situation_id);

-- These posts as they are now, with file and line. Whoever asks names a time (arrived_at): then blocks are skipped.
CREATE VIEW disaster.situation_example AS
SELECT
    p.situation_id,
    p.nth,
    p.posts,
    t.tweet_key,
    t.tweet_id,
    t.original_text,
    t.source,
    t.lang,
    LEAST(t.created_at, t.arrived_at) AS written_at, -- LEAST ignores nulls
    t.arrived_at,
    t.s3_key,
    t.s3_line
FROM disaster.situation_post AS p
INNER JOIN disaster.tweet AS t ON p.tweet_key = t.tweet_key;
