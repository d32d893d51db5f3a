"""Makes the warehouse equal the tweet files: compares what should be with what is, then loads what differs again.

It looks at states, not at events: it may run at any time, twice, or after a crash in the middle, and ends the same.
"""
