"""Create boto3 clients on first use: a cold start pays only for the services that it calls."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from mypy_boto3_comprehend import ComprehendClient
    from mypy_boto3_firehose import FirehoseClient
    from mypy_boto3_kinesis import KinesisClient
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_redshift_data import RedshiftDataAPIServiceClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sns import SNSClient
    from mypy_boto3_ssm import SSMClient


@lru_cache
def _client(service: str, **config: Any) -> Any:
    import boto3
    from botocore.config import Config

    retries: Any = {"mode": "adaptive" if service == "comprehend" else "standard", "max_attempts": 5}
    return boto3.client(service, config=Config(retries=retries, **config))  # type: ignore[call-overload]


def s3() -> S3Client:
    return cast("S3Client", _client("s3"))


def ssm() -> SSMClient:
    return cast("SSMClient", _client("ssm", connect_timeout=2, read_timeout=2))


def sns() -> SNSClient:
    return cast("SNSClient", _client("sns"))


def firehose() -> FirehoseClient:
    return cast("FirehoseClient", _client("firehose"))


def kinesis() -> KinesisClient:
    return cast("KinesisClient", _client("kinesis"))


def redshift_data() -> RedshiftDataAPIServiceClient:
    return cast("RedshiftDataAPIServiceClient", _client("redshift-data"))


def lambda_() -> LambdaClient:
    return cast("LambdaClient", _client("lambda"))


def cloudwatch() -> Any:
    return _client("cloudwatch", connect_timeout=2, read_timeout=5)


def comprehend() -> ComprehendClient:
    return cast("ComprehendClient", _client("comprehend", max_pool_connections=50, connect_timeout=2, read_timeout=10))
