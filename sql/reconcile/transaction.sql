-- What a transaction of the reconciler begins with: chalicelib/reconcile/transaction.py.

-- name: lock
-- First in a transaction that adds rows to the reconciler's books after it has looked that they are not there: no key
-- is enforced, and of two runs at once both would find them absent. Nobody reads this table, so LOCK stops no analyst.
LOCK disaster.reconciler_lock;

-- name: lock_tweets
-- First in a repair where Firehose runs COPY too. Whoever reads the tweets waits until the repair is done.
LOCK disaster.reconciler_lock, disaster.disaster_tweets;
