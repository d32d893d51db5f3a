-- How many posts have been reviewed, by how many people?
SELECT
    COUNT(*) AS reviews,
    COUNT(DISTINCT tweet_key) AS posts,
    COUNT(DISTINCT reviewed_by) AS reviewers
FROM disaster.label_review_latest;
