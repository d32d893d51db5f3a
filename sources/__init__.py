"""Read sources in a process that stays up: `producer.py --source x|mastodon|bluesky`. Never deployed."""
