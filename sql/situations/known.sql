-- Which situations went on in the recent time, or go on still?
SELECT
    situation_id,
    kind,
    COALESCE(country_code, '') AS country,
    began_at,
    last_at,
    peak_at,
    peak_posts,
    peak_texts,
    expected_texts,
    opened_at,
    closed_at
FROM disaster.situation
WHERE
    closed_at IS NULL
    OR last_at >= CAST(:known_since AS TIMESTAMP)
ORDER BY began_at, situation_id;
