-- How did the floods of the last week unfold, hour by hour? (Another kind: change the one word.)
SELECT
    h.hour,
    h.relevant,
    SUM(h.relevant) OVER (ORDER BY h.hour ROWS UNBOUNDED PRECEDING) AS relevant_so_far
FROM disaster.hourly_kind AS h
WHERE
    h.kind = 'flood'
    AND h.hour >= DATEADD(DAY, -7, GETDATE())
ORDER BY h.hour;
