-- A message was not published: the next run tells of it.
UPDATE disaster.situation
SET
    told_at = NULL,
    told_by = NULL
WHERE situation_id = :situation AND told_by = :run;
