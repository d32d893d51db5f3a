-- What the reconciler's transactions lock first, so that two of them never look at the same moment. It has no rows, and
-- nobody reads it: LOCK keeps readers out as well, so a table that analysts ask would be the wrong one.
CREATE TABLE disaster.reconciler_lock (
    nothing BOOLEAN ENCODE RAW
)
DISTSTYLE ALL;
