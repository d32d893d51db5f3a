-- A situation is over: nothing else of it is changed.
UPDATE disaster.situation
SET closed_at = CAST(:now AS TIMESTAMP)
WHERE situation_id = :situation AND closed_at IS NULL;
