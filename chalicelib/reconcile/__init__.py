"""Compare the tweet files with the rows of the warehouse, and load again the files that differ.

It looks at states, not at events: it may run at any time, twice, or after a crash in the middle, and ends the same.
"""
