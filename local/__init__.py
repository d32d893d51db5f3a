"""The AWS services that the app uses, live on one machine, behind one endpoint: `python -m local serve`.

Storage is moto's (S3, SSM, SNS, IAM, ...), kept on disk. What moto only pretends works here: Firehose, Kinesis as its
source, Lambda, the schedule, the Redshift Data API, Comprehend's custom classification, API Gateway for the admin API.
"""
