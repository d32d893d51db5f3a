-- Which words tie tweets to each kind? The five most frequent, with a context in which each was seen.
WITH words AS (
    SELECT
        theme,
        word,
        COUNT(*) AS times,
        MIN(prefix || ' [' || word || '] ' || suffix) AS for_example
    FROM disaster.tweet_keyword
    GROUP BY theme, word
),

ranked AS (
    SELECT
        theme,
        word,
        times,
        for_example,
        ROW_NUMBER() OVER (PARTITION BY theme ORDER BY times DESC, word ASC) AS place
    FROM words
)

SELECT
    theme,
    place,
    word,
    times,
    for_example
FROM ranked
WHERE place <= 5
ORDER BY theme, place;
