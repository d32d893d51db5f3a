"""Firehose's data transformation: bytes in, classified rows out, every row linked to its file and line in S3."""
