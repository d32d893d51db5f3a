-- Which post of the last 24 hours shows each kind best? The surest one of each kind, kinds with most posts first.
SELECT
    kind,
    name,
    kind_posts,
    tweet_key,
    source,
    lang,
    written_at,
    place,
    country_code,
    information_type,
    s3_key,
    s3_line
FROM (
    SELECT
        k.code AS kind,
        k.name,
        t.tweet_key,
        t.source,
        t.lang,
        -- LEAST ignores nulls.
        LEAST(t.created_at, t.arrived_at) AS written_at,
        t.place,
        t.country_code,
        t.information_type,
        t.s3_key,
        t.s3_line,
        COUNT(*) OVER (PARTITION BY k.code) AS kind_posts,
        ROW_NUMBER() OVER (
            PARTITION BY k.code ORDER BY t.relevance_score * t.classifier_score DESC, t.tweet_key
        ) AS nth
    FROM disaster.tweet AS t
    INNER JOIN disaster.disaster_kind AS k ON t.disaster_label = k.code
    WHERE
        t.relevance_label = 'relevant'
        AND t.disaster_label <> 'not_disaster'
        AND t.arrived_at >= DATEADD(HOUR, -24, CAST(:as_of AS TIMESTAMP))
        AND t.arrived_at < CAST(:as_of AS TIMESTAMP)
) AS ranked
WHERE nth = 1
ORDER BY kind_posts DESC, kind ASC
LIMIT 8;
