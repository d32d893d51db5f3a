-- What analysts query. Views, so that they are always up to date and cost nothing to keep.
-- Ordinary (bound) views: Redshift refuses to drop or change what one of them needs.

-- Every tweet once: deliveries are at-least-once, and the first arrival counts. All copies of a tweet lie on one slice
-- (the distribution key), so the window moves no rows; name a time in arrived_at where the table is large.
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
            PARTITION BY t.tweet_key ORDER BY t.arrived_datetime_from_kinesis, t.s3_key, t.s3_line
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

-- Kinds whose last hour is far above their own past: the 168 hours before it, or as many as there are, hours without a
-- tweet counting as 0. z: how many standard deviations the last hour lies above the mean, the deviation taken as at
-- least that of a Poisson process, and at least 1: a kind seen once a week doesn't surge by two tweets.
CREATE VIEW disaster.surge AS
WITH hourly AS (
    SELECT
        disaster_label AS kind,
        FLOOR(DATEDIFF(SECOND, arrived_at, GETDATE()) / 3600.0) AS hours_ago,
        COUNT(*) AS tweets
    FROM disaster.tweet
    WHERE
        arrived_at > DATEADD(HOUR, -169, GETDATE())
        AND disaster_label <> 'not_disaster'
        AND relevance_label = 'relevant'
    GROUP BY disaster_label, FLOOR(DATEDIFF(SECOND, arrived_at, GETDATE()) / 3600.0)
),

watched AS (
    SELECT LEAST(168, FLOOR(DATEDIFF(SECOND, MIN(arrived_at), GETDATE()) / 3600.0)) AS hours
    FROM disaster.disaster_tweets
),

kinds AS (
    SELECT
        kind,
        SUM(CASE WHEN hours_ago <= 0 THEN tweets ELSE 0 END) AS last_hour,
        SUM(CASE WHEN hours_ago > 0 THEN tweets ELSE 0 END) * 1.0 AS past_tweets,
        SUM(CASE WHEN hours_ago > 0 THEN tweets * tweets ELSE 0 END) * 1.0 AS past_squares
    FROM hourly
    GROUP BY kind
),

moments AS (
    SELECT
        k.kind,
        k.last_hour,
        w.hours AS past_hours,
        k.past_tweets / w.hours AS mean_hour,
        SQRT(GREATEST(k.past_squares / w.hours - (k.past_tweets / w.hours) * (k.past_tweets / w.hours), 0)) AS deviation
    FROM kinds AS k
    CROSS JOIN watched AS w
    WHERE w.hours >= 24 -- less is no past to compare with
)

SELECT
    kind,
    last_hour,
    mean_hour,
    deviation,
    past_hours,
    (last_hour - mean_hour) / GREATEST(deviation, SQRT(mean_hour), 1.0) AS z
FROM moments
WHERE (last_hour - mean_hour) / GREATEST(deviation, SQRT(mean_hour), 1.0) >= 3;

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
        DATEDIFF(MILLISECOND, arrived_at, loaded_at) / 1000.0 AS seconds
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
