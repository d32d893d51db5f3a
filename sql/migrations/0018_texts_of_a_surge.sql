-- How many distinct texts the last hour of a surge has, beside its tweets: a retweet says nothing new. A view can't be
-- replaced by one with another column, so it is made anew; it is otherwise that of 0006.
DROP VIEW disaster.surge;

CREATE VIEW disaster.surge AS
WITH recent AS (
    -- The table, not the view tweet: only eight days are read, by the sort key: no tweet arrives before it is written.
    SELECT
        disaster_label AS kind,
        relevance_label,
        COALESCE(text_key, tweet_key) AS text_key, -- rows without a text_key are older
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
        SUM(CASE WHEN relevance_label = 'relevant' THEN 1 ELSE 0 END) AS relevant,
        COUNT(DISTINCT text_key) AS distinct_texts
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
        relevant,
        distinct_texts
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
    s.z,
    l.distinct_texts
FROM scored AS s
INNER JOIN latest AS l ON s.kind = l.kind
WHERE s.z >= 3;
