"""The local S3 keeps what it acknowledged, and decides a conditional PUT once."""

import hashlib
import io
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.served import served

BUCKET = "disaster-tweets-local"


@pytest.fixture
def s3(stack: Any) -> Any:
    import boto3

    return boto3.client("s3", endpoint_url=stack.endpoint_url)


def test_objects_survive_a_kill(tmp_path: Path) -> None:
    big = bytes(range(256)) * 4096 * 6  # 6 MiB: two parts
    with served(tmp_path) as aws:
        s3 = aws.client("s3")
        s3.put_object(Bucket=BUCKET, Key="a/b", Body=b"first", ContentType="text/plain", Metadata={"who": "me"})
        s3.put_object(Bucket=BUCKET, Key="a", Body=b"a folder's name is a key, too")
        s3.put_object(Bucket=BUCKET, Key="odd ü%2F/../?#.gz", Body=b"odd")
        s3.put_object(Bucket=BUCKET, Key="over", Body=b"one")
        s3.put_object(Bucket=BUCKET, Key="over", Body=b"two")
        s3.copy_object(Bucket=BUCKET, Key="copy", CopySource={"Bucket": BUCKET, "Key": "a/b"})
        s3.upload_fileobj(io.BytesIO(big), BUCKET, "big")
        for key in ("gone/1", "gone/2", "gone/3"):
            s3.put_object(Bucket=BUCKET, Key=key, Body=b"x")
        s3.delete_object(Bucket=BUCKET, Key="gone/1")
        s3.delete_objects(Bucket=BUCKET, Delete={"Objects": [{"Key": "gone/2"}, {"Key": "gone/3"}]})
        s3.create_bucket(Bucket="another")
        s3.put_object(Bucket="another", Key="k", Body=b"v")
        before = listed(s3)
        aws.kill()

    with served(tmp_path) as aws:
        s3 = aws.client("s3")
        assert listed(s3) == before
        assert [name for name, *_ in before] == ["a", "a/b", "big", "copy", "odd ü%2F/../?#.gz", "over"]
        for key in ("a/b", "copy"):
            found = s3.get_object(Bucket=BUCKET, Key=key)
            assert (found["Body"].read(), found["ContentType"], found["Metadata"]) == (
                b"first",
                "text/plain",
                {"who": "me"},
            )
        assert s3.get_object(Bucket=BUCKET, Key="over")["Body"].read() == b"two"
        assert s3.get_object(Bucket=BUCKET, Key="big")["Body"].read() == big
        assert s3.get_object(Bucket="another", Key="k")["Body"].read() == b"v"


def listed(s3: Any) -> list[tuple[Any, ...]]:
    found = s3.list_objects_v2(Bucket=BUCKET)["Contents"]
    return [(each["Key"], each["Size"], each["ETag"], each["LastModified"]) for each in found]


def test_parameters_survive_a_kill(tmp_path: Path) -> None:
    active = "/disaster-tweets/local/classifier/active"
    with served(tmp_path) as aws:
        ssm = aws.client("ssm")
        for value in ("one", "two"):
            ssm.put_parameter(Name=active, Value=value, Type="String", Overwrite=True)
        ssm.put_parameter(Name="/secret", Value="hidden", Type="SecureString")
        ssm.put_parameter(Name="/gone", Value="x", Type="String")
        ssm.delete_parameter(Name="/gone")
        aws.kill()
    with served(tmp_path) as aws:
        ssm = aws.client("ssm")
        found = ssm.get_parameter(Name=active)["Parameter"]
        assert (found["Value"], found["Version"]) == ("two", 2)
        assert ssm.get_parameter(Name="/secret", WithDecryption=True)["Parameter"]["Value"] == "hidden"
        with pytest.raises(ClientError, match="ParameterNotFound"):
            ssm.get_parameter(Name="/gone")


def test_of_many_who_create_the_same_object_one_succeeds(s3: Any) -> None:
    def create(number: int) -> bool:
        try:
            s3.put_object(Bucket=BUCKET, Key="test/once", Body=str(number).encode(), IfNoneMatch="*")
        except ClientError as error:
            assert error.response["Error"]["Code"] == "PreconditionFailed"
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        done = list(pool.map(create, range(24)))
    assert done.count(True) == 1
    assert s3.get_object(Bucket=BUCKET, Key="test/once")["Body"].read() == str(done.index(True)).encode()


def test_who_reads_while_others_list_and_write_gets_whole_objects(s3: Any) -> None:
    def work(number: int) -> None:
        key, body = f"test/whole/{number % 5}", bytes([number]) * 50_000
        s3.put_object(Bucket=BUCKET, Key=key, Body=body)
        found = s3.get_object(Bucket=BUCKET, Key=key)
        assert found["ETag"] == f'"{hashlib.md5(found["Body"].read()).hexdigest()}"'
        for each in s3.list_objects_v2(Bucket=BUCKET, Prefix="test/whole/")["Contents"]:
            assert each["Size"] == 50_000

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(60)))


def test_pages_are_in_order_and_complete(s3: Any) -> None:
    keys = [f"test/pages/{number:03}" for number in range(25)] + ["test/pages", "test/pagesz"]
    for key in keys:
        s3.put_object(Bucket=BUCKET, Key=key, Body=b"")

    def found(**how: Any) -> list[str]:
        pages = s3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, PaginationConfig={"PageSize": 4}, **how)
        return [each["Key"] for page in pages for each in page.get("Contents", ())]

    assert found(Prefix="test/pages/") == sorted(keys)[1:-1]
    assert found(Prefix="test/pages") == sorted(keys)
    assert found(Prefix="test/pages/", StartAfter="test/pages/020") == sorted(keys)[22:-1]
    assert found(Prefix="test/pages/", StartAfter="test/a") == sorted(keys)[1:-1]
    assert found(Prefix="test/none") == []
    folders = s3.list_objects_v2(Bucket=BUCKET, Prefix="test/pages", Delimiter="/")
    assert [each["Prefix"] for each in folders["CommonPrefixes"]] == ["test/pages/"]


def test_a_fault_before_the_write_leaves_nothing_and_one_after_it_the_object(stack: Any) -> None:
    import boto3
    from botocore.config import Config

    s3 = boto3.client("s3", endpoint_url=stack.endpoint_url, config=Config(retries={"total_max_attempts": 1}))
    try:
        for name, written in (("s3_before", False), ("s3_after", True)):
            stack.faults.set({name: 1.0})
            with pytest.raises(ClientError, match="InternalError"):
                s3.put_object(Bucket=BUCKET, Key=f"test/{name}", Body=b"x")
            assert ("Contents" in s3.list_objects_v2(Bucket=BUCKET, Prefix=f"test/{name}")) is written
    finally:
        stack.faults.set({})
