-- Who may do what, by role. `make deploy` grants the roles to the functions' users, an administrator to people. A role
-- belongs to the namespace and outlives this schema: one that is there is not made again (see migrations.py).

-- Analysts: read everything, change nothing.
CREATE ROLE disaster_analyst;

GRANT USAGE ON SCHEMA disaster TO ROLE disaster_analyst;

GRANT SELECT ON ALL TABLES IN SCHEMA disaster TO ROLE disaster_analyst;

-- What later migrations make, too. (noqa: the linter's Redshift doesn't know roles here.)
ALTER DEFAULT PRIVILEGES IN SCHEMA disaster GRANT SELECT ON TABLES TO ROLE disaster_analyst; -- noqa: PRS, CP02

-- The app: loads, repairs, keeps its books. It drops nothing and makes nothing but temporary tables.
CREATE ROLE disaster_app;

GRANT USAGE ON SCHEMA disaster TO ROLE disaster_app;

GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA disaster TO ROLE disaster_app;

ALTER DEFAULT PRIVILEGES IN SCHEMA disaster GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO ROLE disaster_app; -- noqa: PRS, CP02
