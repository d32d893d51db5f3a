"""Transform Firehose's records into classified rows, each linked to its file and line in S3."""
