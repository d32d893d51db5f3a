"""Sources that need a process which stays up: `producer.py --source x|mastodon|bluesky`. Never deployed."""
