-- What analysts query. Views, so that they are always up to date and cost nothing to keep.
-- Ordinary (bound) views: Redshift refuses to drop or change what one of them needs.

-- Every tweet once: deliveries are at-least-once, and the first arrival counts. All copies of a tweet lie on one slice
-- (the distribution key), so the window moves no rows. It does read all of them: a WHERE on arrived_at is applied after
-- it. Who needs a day of a very large table, and can bear a copy or two, asks disaster_tweets.
CREATE VIEW disaster.tweet AS
SELECT
    original_text,
    cleaning_text,
    disaster_label,
    classifier_score,
    arrived_datetime_from_kinesis,
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
    arrived_at,
    loaded_at,
    copies
FROM (
    SELECT
        t.*,
        ROW_NUMBER() OVER (
            PARTITION BY t.tweet_key ORDER BY t.arrived_at, t.s3_key, t.s3_line
        ) AS nth,
        COUNT(*) OVER (PARTITION BY t.tweet_key) AS copies
    FROM disaster.disaster_tweets AS t
) AS numbered
WHERE nth = 1;

-- Each word that ties a tweet to a kind, with its context: a row a keyword.
CREATE VIEW disaster.tweet_keyword AS
SELECT
    t.tweet_key,
    t.tweet_id,
    t.arrived_at,
    t.disaster_label,
    t.relevance_label,
    CAST(k.prefix AS VARCHAR(256)) AS prefix,
    CAST(k.word AS VARCHAR(256)) AS word,
    CAST(k.suffix AS VARCHAR(256)) AS suffix,
    CAST(k.theme AS VARCHAR(32)) AS theme
FROM disaster.tweet AS t, t.keywords AS k;

-- Tweets an hour and kind. "Relevant" are those that speak of a real disaster.
CREATE VIEW disaster.hourly_kind AS
SELECT
    DATE_TRUNC('hour', t.arrived_at) AS hour,
    t.disaster_label AS kind,
    COUNT(*) AS tweets,
    SUM(CASE WHEN t.relevance_label = 'relevant' THEN 1 ELSE 0 END) AS relevant,
    SUM(t.copies) - COUNT(*) AS repeats,
    AVG(t.classifier_score) AS mean_score
FROM disaster.tweet AS t
GROUP BY DATE_TRUNC('hour', t.arrived_at), t.disaster_label;

-- Kinds whose last hour is far above their own past: the 168 hours before it, or as many as there are (6 at least: less
-- is no past), hours without a tweet counting as 0. z: how many standard deviations the last hour lies above the mean,
-- the deviation taken as at least that of a Poisson process, and at least 1: a kind seen once a week doesn't surge by
-- two tweets. All tweets of a kind count; how many of the last hour's are relevant stands beside them, since a
-- classifier's doubt must not hide what everybody talks about.
CREATE VIEW disaster.surge AS
WITH recent AS (
    -- The table, not the view tweet: only eight days are read (of copies further apart, each would count).
    SELECT
        disaster_label AS kind,
        relevance_label,
        DATEDIFF(SECOND, arrived_at, GETDATE()) / 3600 AS hours_ago, -- 0: the last hour; whole numbers divide to such
        ROW_NUMBER() OVER (PARTITION BY tweet_key ORDER BY arrived_at, s3_key, s3_line) AS nth
    FROM disaster.disaster_tweets
    WHERE
        arrived_at > DATEADD(HOUR, -169, GETDATE())
        AND disaster_label <> 'not_disaster'
),

hourly AS (
    SELECT
        kind,
        hours_ago,
        CAST(COUNT(*) AS DOUBLE PRECISION) AS tweets, -- of DECIMALs a quotient keeps few digits
        SUM(CASE WHEN relevance_label = 'relevant' THEN 1 ELSE 0 END) AS relevant
    FROM recent
    WHERE nth = 1
    GROUP BY kind, hours_ago
),

watched AS (
    SELECT LEAST(168, DATEDIFF(SECOND, MIN(arrived_at), GETDATE()) / 3600) AS hours
    FROM disaster.disaster_tweets
),

moments AS (
    SELECT
        h.kind,
        w.hours AS past_hours,
        SUM(CASE WHEN h.hours_ago <= 0 THEN h.tweets ELSE 0 END) AS last_hour,
        SUM(CASE WHEN h.hours_ago <= 0 THEN h.relevant ELSE 0 END) AS relevant,
        SUM(CASE WHEN h.hours_ago > 0 THEN h.tweets ELSE 0 END) / w.hours AS mean_hour,
        SUM(CASE WHEN h.hours_ago > 0 THEN h.tweets * h.tweets ELSE 0 END) / w.hours AS mean_square
    FROM hourly AS h
    CROSS JOIN watched AS w
    WHERE w.hours >= 6
    GROUP BY h.kind, w.hours
),

compared AS (
    SELECT
        kind,
        last_hour,
        relevant,
        mean_hour,
        past_hours,
        SQRT(GREATEST(mean_square - mean_hour * mean_hour, 0)) AS deviation
    FROM moments
),

scored AS (
    SELECT
        kind,
        last_hour,
        relevant,
        mean_hour,
        deviation,
        past_hours,
        (last_hour - mean_hour) / GREATEST(deviation, SQRT(mean_hour), 1) AS z
    FROM compared
)

SELECT
    kind,
    CAST(last_hour AS BIGINT) AS last_hour,
    relevant,
    mean_hour,
    deviation,
    past_hours,
    z
FROM scored
WHERE z >= 3;

-- Seconds from arrival in Firehose to the row in the warehouse, by hour of arrival. Rows that a repair has loaded again
-- count from their arrival too: that is when they could be queried.
CREATE VIEW disaster.freshness AS
SELECT
    hour,
    COUNT(*) AS loaded_rows,
    MEDIAN(seconds) AS median_seconds,
    PERCENTILE_CONT(0.99) WITHIN GROUP (ORDER BY seconds) AS p99_seconds,
    MAX(seconds) AS longest_seconds
FROM (
    SELECT
        DATE_TRUNC('hour', arrived_at) AS hour,
        CAST(DATEDIFF(MILLISECOND, arrived_at, loaded_at) AS DOUBLE PRECISION) / 1000 AS seconds
    FROM disaster.disaster_tweets
) AS delays
GROUP BY hour;

-- Is everything there? Each hour's tweet files against its rows, as the last reconciliation that looked found them.
CREATE VIEW disaster.load_health AS
SELECT
    h.hour,
    h.state,
    h.files,
    h.tweets,
    h.loaded,
    h.tweets - h.loaded AS not_loaded,
    h.waiting_files,
    h.troubled_files,
    COALESCE(f.repairs, 0) AS repairs,
    h.checked_at,
    h.next_check_at
FROM disaster.tweet_hour AS h
LEFT JOIN (
    SELECT
        hour,
        SUM(repairs) AS repairs
    FROM disaster.tweet_file
    GROUP BY hour
) AS f ON h.hour = f.hour;
