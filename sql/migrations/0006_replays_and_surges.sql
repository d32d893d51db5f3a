-- A replay classifies tweets anew: `tweet` shows the latest labels, `tweet_history` all of them. `surge` goes by the
-- tweets' own time and by the volume of the stream, so that a backfill, a replay or an outage is no surge.

-- Every row of every tweet, numbered by arrival. The last one is what `tweet` shows, the first one says when the tweet
-- came. All rows of a tweet lie on one slice (the distribution key), so the windows move no rows.
CREATE VIEW disaster.tweet_history AS
SELECT
    t.original_text,
    t.cleaning_text,
    t.disaster_label,
    t.classifier_score,
    t.arrived_datetime_from_kinesis,
    t.processing_time,
    t.relevance_label,
    t.relevance_score,
    t.tweet_key,
    t.tweet_id,
    t.user_id,
    t.created_at,
    t.location,
    t.lang,
    t.source_keyword,
    t.keywords,
    t.classifier_version,
    t.s3_key,
    t.s3_line,
    t.truncated,
    t.arrived_at,
    t.loaded_at,
    ROW_NUMBER() OVER (PARTITION BY t.tweet_key ORDER BY t.arrived_at, t.s3_key, t.s3_line) AS arrival,
    COUNT(*) OVER (PARTITION BY t.tweet_key) AS copies,
    MIN(t.arrived_at) OVER (PARTITION BY t.tweet_key) AS first_arrived_at,
    MIN(t.arrived_datetime_from_kinesis) OVER (PARTITION BY t.tweet_key) AS first_arrived_datetime_from_kinesis
FROM disaster.disaster_tweets AS t;

-- Every tweet once: deliveries are at-least-once, and tweets may be sent again on purpose, to be classified anew. The
-- row that arrived last counts, with its labels and the link to its line; the time is that of the first arrival, so
-- that no tweet moves to another hour. The columns are those it has had: OR REPLACE demands that, and keeps the views
-- that need this one (docs.aws.amazon.com/redshift/latest/dg/r_CREATE_VIEW.html). A WHERE on arrived_at is applied
-- after the windows, which read all rows. Who needs a day of a very large table, and can bear copies, asks
-- disaster_tweets.
CREATE OR REPLACE VIEW disaster.tweet AS
SELECT
    original_text,
    cleaning_text,
    disaster_label,
    classifier_score,
    first_arrived_datetime_from_kinesis AS arrived_datetime_from_kinesis,
    processing_time,
    relevance_label,
    relevance_score,
    tweet_key,
    tweet_id,
    user_id,
    created_at,
    location,
    lang,
    source_keyword,
    keywords,
    classifier_version,
    s3_key,
    s3_line,
    truncated,
    first_arrived_at AS arrived_at,
    loaded_at,
    copies
FROM disaster.tweet_history
WHERE arrival = copies;

-- Kinds whose last hour is far above their own past: z is how many standard deviations the last hour lies above the
-- mean of the past week's hours, the deviation taken as at least that of a Poisson process, and at least 1: a kind seen
-- once a week doesn't surge by two tweets.
-- * A tweet counts in the hour in which it was written (created_at), or arrived where the source doesn't say. So old
--   tweets that are sent today count in their own time, and a tweet that is sent again counts once.
-- * An hour in which all other tweets together are more than usual (the median hour, and what chance adds to it) is
--   scaled down to the usual: what makes every kind rise is a backfill, or a backlog after an outage, and no disaster.
-- * Hours without any tweet, of whatever kind, were not watched and do not count as 0; there have to be 6 others.
-- All tweets of a kind count; how many of the last hour's are relevant stands beside them, since a classifier's doubt
-- must not hide what everybody talks about. Made anew instead of replaced: two columns have other types.
DROP VIEW disaster.surge;

CREATE VIEW disaster.surge AS
WITH recent AS (
    -- The table, not the view tweet: only eight days are read, by the sort key: no tweet arrives before it is written.
    SELECT
        disaster_label AS kind,
        relevance_label,
        GREATEST(
            DATEDIFF(SECOND, LEAST(created_at, MIN(arrived_at) OVER (PARTITION BY tweet_key)), GETDATE()) / 3600, 0
        ) AS hours_ago, -- 0: the last hour; whole numbers divide to such. LEAST ignores nulls
        ROW_NUMBER() OVER (PARTITION BY tweet_key ORDER BY arrived_at DESC, s3_key DESC, s3_line DESC) AS nth_last
    FROM disaster.disaster_tweets
    WHERE arrived_at > DATEADD(HOUR, -169, GETDATE())
),

hourly AS (
    SELECT
        kind,
        hours_ago,
        CAST(COUNT(*) AS DOUBLE PRECISION) AS tweets, -- of DECIMALs a quotient keeps few digits
        SUM(CASE WHEN relevance_label = 'relevant' THEN 1 ELSE 0 END) AS relevant
    FROM recent
    WHERE
        nth_last = 1
        AND hours_ago <= 168
    GROUP BY kind, hours_ago
),

watched AS (
    SELECT
        hours_ago,
        SUM(tweets) AS tweets
    FROM hourly
    GROUP BY hours_ago
),

latest AS (
    SELECT
        kind,
        tweets,
        relevant
    FROM hourly
    WHERE
        hours_ago = 0
        AND kind <> 'not_disaster'
),

-- Each kind of the last hour in each hour that was watched, beside all other tweets of that hour.
compared AS (
    SELECT
        l.kind,
        w.hours_ago,
        COALESCE(h.tweets, 0) AS own,
        w.tweets - COALESCE(h.tweets, 0) AS others
    FROM latest AS l
    CROSS JOIN watched AS w
    LEFT JOIN hourly AS h ON l.kind = h.kind AND w.hours_ago = h.hours_ago
),

usual AS (
    SELECT
        kind,
        GREATEST(MEDIAN(others), 1) AS others
    FROM compared
    WHERE hours_ago > 0
    GROUP BY kind
),

scaled AS (
    SELECT
        c.kind,
        c.hours_ago,
        c.own * CASE WHEN c.others > u.others + 3 * SQRT(u.others) THEN u.others / c.others ELSE 1 END AS tweets
    FROM compared AS c
    INNER JOIN usual AS u ON c.kind = u.kind
),

moments AS (
    SELECT
        kind,
        SUM(CASE WHEN hours_ago = 0 THEN tweets ELSE 0 END) AS last_hour,
        SUM(CASE WHEN hours_ago > 0 THEN 1 ELSE 0 END) AS past_hours,
        AVG(CASE WHEN hours_ago > 0 THEN tweets END) AS mean_hour,
        AVG(CASE WHEN hours_ago > 0 THEN tweets * tweets END) AS mean_square
    FROM scaled
    GROUP BY kind
),

deviating AS (
    SELECT
        kind,
        last_hour,
        past_hours,
        mean_hour,
        SQRT(GREATEST(mean_square - mean_hour * mean_hour, 0)) AS deviation
    FROM moments
    WHERE past_hours >= 6
),

scored AS (
    SELECT
        kind,
        past_hours,
        mean_hour,
        deviation,
        (last_hour - mean_hour) / GREATEST(deviation, SQRT(mean_hour), 1) AS z
    FROM deviating
)

SELECT
    s.kind,
    CAST(l.tweets AS BIGINT) AS last_hour,
    l.relevant,
    s.mean_hour,
    s.deviation,
    s.past_hours,
    s.z
FROM scored AS s
INNER JOIN latest AS l ON s.kind = l.kind
WHERE s.z >= 3;
