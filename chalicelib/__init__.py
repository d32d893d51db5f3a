"""All run-time code. Nothing in here knows whether it runs on AWS or on a laptop."""
