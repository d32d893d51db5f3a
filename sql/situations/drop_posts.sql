-- The posts that showed it best until now.
DELETE FROM disaster.situation_post
WHERE situation_id = :situation;
