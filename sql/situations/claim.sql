-- This run will tell of what is going on and was told by none.
UPDATE disaster.situation
SET
    told_at = CAST(:now AS TIMESTAMP),
    told_by = CAST(:run AS VARCHAR(32))
WHERE told_at IS NULL AND closed_at IS NULL;
